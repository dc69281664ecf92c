import { afterEach, describe, expect, it, vi } from "vitest"
import type { BudgetAlert } from "../src"
import { budgetOn, reserved, world } from "./budget-world"

const subject = { userId: "ada", clientId: "web" }

afterEach(() => {
  vi.useRealTimers()
})

describe("leases", () => {
  it("live by heartbeats until the end of maxLeaseMs, and expire by onExpire", async () => {
    vi.useFakeTimers()
    const at = world(Date.now())
    const budget = budgetOn(at, { limits: [{ scope: "user", limit: 9 }], leaseMs: 30_000, maxLeaseMs: 60_000 })
    const advance = async (ms: number) => {
      for (let passed = 0; passed < ms; passed += 1_000) {
        at.now += 1_000
        await vi.advanceTimersByTimeAsync(1_000)
      }
    }
    const charge = await reserved(budget, { subject, amount: { usd: 1 } })
    await reserved(budget, { subject, amount: { usd: 2 }, onExpire: 0.5 })
    await reserved(budget, { subject, amount: { usd: 4 }, onExpire: "release" })
    const end = charge.expiresAt!
    await advance(45_000)
    expect(charge.expiresAt).toBeGreaterThan(end)
    expect((await budget.status(subject))[0]).toMatchObject({ reserved: 7, spent: 0 })
    await advance(60_000)
    expect(await budget.sweep()).toEqual({ expired: 3, more: false })
    expect((await budget.status(subject))[0]).toMatchObject({ reserved: 0, spent: 1.5 })
    expect(await charge.settle({ usd: 0.25 })).toMatchObject({ status: "settled", late: true })
    expect((await budget.status(subject))[0]).toMatchObject({ spent: 0.75 })
  })

  it("that have ended are swept before a call is denied because of them", async () => {
    const at = world()
    const [one, other] = [0, 1].map(() => budgetOn(at, { limits: [{ scope: "total", limit: 1 }], onExpire: "release" }))
    await Promise.all(Array.from({ length: 500 }, () => reserved(one!, { amount: { usd: 0.002 } })))
    at.now += 60_000
    await reserved(other!, { amount: { usd: 1 } })
    expect((await other!.status())[0]).toMatchObject({ reserved: 1, spent: 0 })
  })
})

describe("alerts", () => {
  it("of a call go to its own onAlert too, once, for limits of the call and of the budget", async () => {
    const own: string[] = []
    const calls: string[] = []
    const name = ({ scope, threshold, value }: BudgetAlert) => `${scope} ${value} ${threshold}`
    const at = world()
    const budget = budgetOn(at, {
      limits: [{ scope: "total", limit: 10, alertAt: [0.5] }],
      onAlert: (alert) => own.push(name(alert)),
    })
    const options = (userId: string) => ({
      subject: { userId },
      amount: 5,
      limits: [{ scope: "user", limit: 5, alertAt: [1] }] as const,
      onAlert: (alert: BudgetAlert) => calls.push(`${userId}: ${name(alert)}`),
    })
    const [ada, bob] = [await reserved(budget, options("ada")), await reserved(budget, options("bob"))]
    await ada.settle(5)
    await bob.settle(1)
    expect(own).toEqual(["total null 0.5", "user ada 1"])
    expect(calls).toEqual(["ada: total null 0.5", "ada: user ada 1"])
    const silent = budgetOn(at, { limits: [] })
    await (await reserved(silent, { ...options("eve"), amount: 1 })).settle(5)
    expect(calls.at(-1)).toBe("eve: user eve 1")
  })

  it("fire once per window over all budgets, expired reservations included", async () => {
    const at = world()
    const alerts: [string, number, unknown, number][] = []
    const make = (name: string) =>
      budgetOn(at, {
        limits: [{ scope: "user", limit: 10, per: "day", alertAt: [0.5, 0.8, 1] }],
        onAlert: ({ threshold, value, spent }: BudgetAlert) => alerts.push([name, threshold, value, spent]),
      })
    const [one, other] = [make("one"), make("other")]
    await (await reserved(one, { subject, amount: { usd: 5 } })).settle({ usd: 4.9 })
    expect(alerts).toEqual([])
    await (await reserved(one, { subject, amount: { usd: 1 } })).settle({ usd: 0.1 })
    await reserved(one, { subject, amount: { usd: 3 } })
    at.now += 60_000
    // The other budget expires the lease in a call of another subject.
    await reserved(other, { subject: { userId: "bob" }, amount: { usd: 1 } })
    await (await reserved(other, { subject, amount: { usd: 1 } })).settle({ usd: 3 })
    expect(alerts).toEqual([
      ["one", 0.5, "ada", 5],
      ["other", 0.8, "ada", 8],
      ["other", 1, "ada", 11],
    ])
    at.now += 24 * 3_600_000
    await (await reserved(one, { subject, amount: { usd: 6 } })).settle({ usd: 6 })
    expect(alerts.at(-1)).toEqual(["one", 0.5, "ada", 6])
  })

  it("fire once for a fraction that is listed twice, the lower before the higher", async () => {
    const fired: number[] = []
    const budget = budgetOn(world(), {
      limits: [{ scope: "user", limit: 1, alertAt: [1, 0.5, 0.8, 0.5] }],
      onAlert: ({ threshold }) => fired.push(threshold),
    })
    await (await reserved(budget, { subject, amount: { usd: 1 } })).settle({ usd: 1 })
    expect(fired).toEqual([0.5, 0.8, 1])
  })

  it("that throw do not fail the settlement", async () => {
    const at = world()
    const budget = budgetOn(at, {
      limits: [{ scope: "total", limit: 1, alertAt: [0.1] }],
      onAlert: () => {
        throw new Error("no mail today")
      },
    })
    expect(await (await reserved(budget, { amount: { usd: 1 } })).settle({ usd: 1 })).toMatchObject({
      status: "settled",
    })
    expect(at.warnings).toHaveLength(1)
  })
})
