import { expect, it } from "vitest"
import { memoryStore, type UsageEntry } from "../src"

it("adds a million random charges exactly", async () => {
  const store = memoryStore({ maxReservations: 2_000_000, maxEntries: 0 })
  const entry: UsageEntry = {
    requestId: "r",
    attempt: 1,
    model: "m",
    status: "succeeded",
    tokens: {},
    reservedNanoUsd: 0,
    costNanoUsd: 0,
    costSource: "custom",
  }
  let state = 12345
  let sum = 0n
  for (let index = 0; index < 1_000_000; index++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    const amount = state * 2
    sum += BigInt(amount)
    await store.settle({
      partition: "m",
      key: `i${index}`,
      fingerprint: "f",
      outcome: "settled",
      revision: 0,
      counters: [{ name: "total|usd|total", startsAt: null, endsAt: null, keepMs: null, reserved: 0, amount }],
      expiresAt: null,
      entry,
    })
  }
  const { counters } = await store.read({ partition: "m", counters: ["total|usd|total"] })
  expect(BigInt(counters[0]!.spent)).toBe(sum)
})
