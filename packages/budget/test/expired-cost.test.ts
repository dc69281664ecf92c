import { expect, it } from "vitest"
import type { OnExpire, ReserveOptions } from "../src"
import { budgetOn, reserved, world } from "./budget-world"

const LEASE_MS = 1_000
const cases: [OnExpire, object, Record<string, number>][] = [
  ["charge", { costNanoUsd: 900, costSource: "bound", inDoubt: true }, { usd: 900, tok: 7, req: 1 }],
  [{ nanoUsd: 300 }, { costNanoUsd: 300, costSource: "custom" }, { usd: 300, tok: 7, req: 1 }],
  ["0.0000003", { costNanoUsd: 300, costSource: "custom" }, { usd: 300, tok: 7, req: 1 }],
  [
    { nanoUsd: 0, tokens: 0, requests: 0 },
    { costNanoUsd: 0, costSource: "none" },
    { usd: 0, tok: 0, req: 0 },
  ],
  [{ tokens: 3 }, { costNanoUsd: 900, costSource: "bound", inDoubt: true }, { usd: 900, tok: 3, req: 1 }],
  ["release", { costNanoUsd: 0, costSource: "none" }, { usd: 0, tok: 0, req: 0 }],
]

it.each(cases)(
  "a lease that ends with onExpire %j is charged %j, in the ledger and in every counter",
  async (...args) => {
    const [onExpire, entry, charges] = args
    const own: Partial<ReserveOptions> = { onExpire }
    for (const options of [own, {}]) {
      const at = world()
      const limits = [{ scope: "total", limit: { usd: 1, tokens: 100, requests: 9 } }] as const
      const budget = budgetOn(at, { limits, leaseMs: LEASE_MS, ...(options === own ? {} : { onExpire }) })
      const subject = { requestId: "r", userId: "ada" }
      await reserved(budget, { subject, amount: { nanoUsd: 900, tokens: 7 }, entry: { mode: "text" }, ...options })
      at.now += LEASE_MS
      expect(await budget.sweep()).toEqual({ expired: 1, more: false })
      const [expired] = await budget.usage.get("r")
      expect(expired).toMatchObject({ status: "expired", state: "expired", userId: "ada", mode: "text", ...entry })
      expect(Object.hasOwn(expired!, "inDoubt")).toBe(Object.hasOwn(entry, "inDoubt"))
      expect(expired!.charges).toEqual(
        Object.fromEntries(Object.entries(charges).map(([unit, amount]) => [`total|${unit}|total`, amount])),
      )
      const spent = (await budget.status()).map((status) => status.spentNanoUsd ?? status.spent)
      expect(spent).toEqual(Object.values(charges))
    }
  },
)

it("an amount above the reservation is a usage error in a call, and capped where it is the budget's default", async () => {
  const at = world()
  const budget = budgetOn(at, { limits: [{ scope: "total", limit: 9 }], onExpire: 0.5, leaseMs: LEASE_MS })
  await expect(budget.reserve({ amount: 0.1, onExpire: 0.2 })).rejects.toMatchObject({ argument: "onExpire.nanoUsd" })
  await expect(budget.reserve({ amount: 0.1, onExpire: "chrage" })).rejects.toThrow('"charge", "release" or an amount')
  await reserved(budget, { amount: 0.1 })
  at.now += LEASE_MS
  await budget.sweep()
  expect((await budget.status())[0]!.spent).toBe(0.1)
})
