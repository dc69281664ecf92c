import { expect, it } from "vitest"
import { memoryStore } from "../src"
import type { UsageDraft } from "../src/ledger"
import { readEntry } from "../src/redis/entry"
import { heldRecord } from "../src/redis/record"
import type { BudgetStore, ReserveRequest } from "../src/store"
import { ModelStore } from "../src/testing/model"

const LEASE_MS = 1_000
const drafts: { draft: Partial<UsageDraft>; told: object }[] = [
  { draft: {}, told: { costNanoUsd: 900, costSource: "bound" } },
  { draft: { expireCostNanoUsd: 300 }, told: { costNanoUsd: 300, costSource: "bound" } },
  { draft: { expireCostNanoUsd: 0 }, told: { costNanoUsd: 0, costSource: "none" } },
]

function requestOf(more: Partial<UsageDraft>): ReserveRequest {
  const onExpire = more.expireCostNanoUsd ?? 900
  const cell = { key: "total|nanoUsd|total", startsAt: null, endsAt: null, keepMs: null, amount: 900, limit: null }
  const draft = { requestId: "r", attempt: 1, model: "m", reservedNanoUsd: 900, fingerprint: "f", ...more }
  return { root: "m", id: "a", fingerprint: "f", cells: [{ ...cell, onExpire }], leaseMs: LEASE_MS, draft }
}

for (const { draft, told } of drafts) {
  it(`an attempt that ran out with ${JSON.stringify(draft)} is told at ${JSON.stringify(told)}`, async () => {
    let now = 1_000
    const stores: BudgetStore[] = [memoryStore({ clock: () => now }), new ModelStore({ now: () => now })]
    for (const store of stores) await store.reserve(requestOf(draft))
    now += LEASE_MS
    for (const store of stores) {
      await store.sweep({ root: "m", max: 9 })
      const [entry] = await store.ledger!.get({ root: "m", requestId: "r" })
      expect(entry).toMatchObject({ status: "expired", fingerprint: "f", ...told })
      expect(entry).not.toHaveProperty("expireCostNanoUsd")
      expect(entry!.charges).toEqual({ "total|nanoUsd|total": entry!.costNanoUsd })
    }
    // What the scripts of Redis append to the ledger, as it is.
    const attempt = heldRecord(requestOf(draft), 3_600_000, true).split("\n").at(-1)!
    const { entry: kept } = readEntry(`${now} 0 900`, `a total|nanoUsd|total\n${attempt}`)
    expect(kept).toMatchObject({ status: "expired", fingerprint: "f", ...told })
    expect(kept).not.toHaveProperty("expireCostNanoUsd")
  })
}
