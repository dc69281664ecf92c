import { describe, expect, it } from "vitest"
import { createBudget, memoryStore } from "../src"
import { budgetOn, denied, NOON, reserved, world } from "./budget-world"

const subject = { userId: "ada", clientId: "web" }

describe("guarantees on memory", () => {
  it("admits exactly 50 of 1,000 parallel reserves of $0.10 against $5, in 3 scopes, 20 times", async () => {
    for (let round = 0; round < 20; round++) {
      const budget = createBudget({
        store: memoryStore({ now: () => NOON }),
        limits: [
          { scope: "user", limit: "5", per: "day", timeZone: "Europe/Paris" },
          { scope: "client", limit: "300", per: "month" },
          { scope: "total", limit: { usd: "1000", requests: 10_000 }, per: "1h" },
        ],
      })
      const all = await Promise.all(
        Array.from({ length: 1_000 }, () => budget.reserve({ subject, amount: { usd: "0.10" } })),
      )
      expect(all.filter((one) => one.ok)).toHaveLength(50)
      const [user, client] = await budget.status(subject)
      expect([user?.reserved, client?.reserved]).toEqual([5, 5])
      await budget.close()
    }
  })

  it("sends one call to the store for a reserve and one for a settle", async () => {
    const at = world(Date.now())
    const budget = budgetOn(at, {
      limits: [
        { scope: "user", limit: 1, per: "day" },
        { scope: "total", limit: 9 },
      ],
    })
    const reservation = await reserved(budget, { subject, amount: { usd: 0.5 } })
    await reservation.settle({ usd: 0.2 })
    expect(at.calls).toEqual(["reserve", "settle"])
  })

  it("changes nothing when the clock of this process is wrong", async () => {
    const limits = [{ scope: "user", limit: 1, per: "day", timeZone: "Asia/Kolkata" } as const]
    const at = world(NOON)
    const budget = budgetOn(at, { limits })
    const reservation = await reserved(budget, { subject, amount: { usd: 1 } })
    // 2 March, 17:30 in India: the day ends at 18:30 UTC.
    expect(reservation.limits[0]!.resetsAt).toBe(Date.UTC(2026, 2, 2, 18, 30))
    expect(at.calls).toEqual(["reserve", "reserve"])
    at.now = Date.UTC(2026, 2, 2, 18, 30) - 1
    expect((await denied(budget, { subject, amount: { usd: 1 } })).resetsAt).toBe(Date.UTC(2026, 2, 2, 18, 30))
    at.now++
    expect((await reserved(budget, { subject, amount: { usd: 1 } })).limits[0]!.startsAt).toBe(at.now)
  })
})

describe("partitions", () => {
  it("are tenants: nothing of one counts in another", async () => {
    const budget = budgetOn(world(), {
      partition: ({ tags }) => tags?.tenant ?? "main",
      limits: [{ scope: "total", limit: 1 }],
    })
    for (const tenant of ["a", "a}:{b", "__proto__", "😀"])
      await reserved(budget, { subject: { tags: { tenant } }, amount: { usd: 1 } })
    await denied(budget, { subject: { tags: { tenant: "a" } }, amount: { usd: 1 } })
    expect(budget.partitionOf({ tags: { tenant: "a}:{b" } })).toMatch(/^sha256:[\w-]{43}$/)
  })
})
