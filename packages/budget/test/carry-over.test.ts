import { describe, expect, it } from "vitest"
import type { Limit } from "../src"
import { budgetOn, denied, reserved, world } from "./budget-world"

const DAY = 86_400_000
const subject = { userId: "ada" }
const daily = (more: Partial<Limit> = {}): Limit => ({ scope: "user", limit: 1, per: "day", carryOver: true, ...more })

async function spend(budget: ReturnType<typeof budgetOn>, amount: number) {
  await (await reserved(budget, { subject, amount })).settle(amount)
}

describe("carryOver", () => {
  it("adds what remained of a window to the next, in the first reserve of the next", async () => {
    const at = world()
    const budget = budgetOn(at, { limits: [daily()] })
    await spend(budget, 0.2)
    at.now += DAY
    expect((await budget.status(subject))[0]).toMatchObject({ granted: 0, remaining: 1 })
    await spend(budget, 1.5)
    expect((await budget.status(subject))[0]).toMatchObject({ granted: 0.8, spent: 1.5, remaining: 0.3 })
    expect(await denied(budget, { subject, amount: 0.31 })).toMatchObject({ limit: 1, granted: 0.8 })
  })

  it("is at most the limit, or a fraction of it, so that it does not grow without bound", async () => {
    for (const [carryOver, granted] of [
      [true, 1],
      [1, 1],
      [0.25, 0.25],
      [3, 1.98],
    ] as const) {
      const at = world()
      const budget = budgetOn(at, { limits: [daily({ carryOver })] })
      for (let day = 0; day < 3; day++) {
        await spend(budget, 0.01)
        at.now += DAY
      }
      await reserved(budget, { subject, amount: 0 })
      const status = (await budget.status(subject))[0]!
      // Three windows of 1 with 0.01 spent in each: 0.99 remains of the first, 1.98 of the first two, and so on.
      expect(status.granted).toBeCloseTo(carryOver === 3 ? 2.97 : granted, 9)
    }
  })

  it.each([false, 0, undefined])("%j carries nothing over", async (carryOver) => {
    const at = world()
    const budget = budgetOn(at, { limits: [daily({ carryOver })] })
    await spend(budget, 0.2)
    at.now += DAY
    await denied(budget, { subject, amount: 1.01 })
    expect(at.calls).not.toContain("adjust")
  })

  it("carries nothing over from a window without spending: it looks like that of a new user", async () => {
    const at = world()
    const budget = budgetOn(at, { limits: [daily()] })
    await denied(budget, { subject, amount: 1.01 })
    await spend(budget, 0.2)
    at.now += 2 * DAY
    await denied(budget, { subject, amount: 1.01 })
  })

  it("finds the previous window until the next one ends, even beyond the store's retention", async () => {
    const at = world()
    const budget = budgetOn(at, { limits: [daily({ per: "month" })] })
    await spend(budget, 0.2)
    at.now = Date.UTC(2026, 3, 30, 23, 59)
    await spend(budget, 1.8)
    await denied(budget, { subject, amount: 0.01 })
  })

  it("counts what other calls still have reserved in the previous window as spent", async () => {
    const at = world()
    const budget = budgetOn(at, { limits: [daily()], leaseMs: 2 * DAY })
    const open = await reserved(budget, { subject, amount: 0.7 })
    at.now += DAY
    await spend(budget, 1.3)
    await denied(budget, { subject, amount: 0.01 })
    await open.settle(0.7)
    await denied(budget, { subject, amount: 0.01 })
  })

  it("is granted once by any number of budgets, also when replies are lost", async () => {
    const at = world()
    const make = () => budgetOn(at, { limits: [daily()] })
    const [first, ...others] = Array.from({ length: 5 }, make)
    await spend(first!, 0.5)
    at.now += DAY
    at.faults.push({ member: "adjust", kind: "lost" })
    const results = await Promise.allSettled(
      [first!, ...others].map((budget) => budget.reserve({ subject, amount: 0.3 })),
    )
    const admitted = results.filter((result) => result.status === "fulfilled" && result.value.ok).length
    // The call whose reply was lost fails closed.
    expect(results.filter(({ status }) => status === "rejected").length).toBeLessThanOrEqual(1)
    expect(admitted).toBeLessThanOrEqual(5)
    await reserved(make(), { subject, amount: 0 })
    expect((await first!.status(subject))[0]).toMatchObject({ granted: 0.5 })
  })

  it("of a process whose clock is behind comes from the store's window", async () => {
    const at = world()
    const budget = budgetOn(at, { limits: [daily()] })
    await spend(budget, 0.2)
    at.now += DAY
    await spend(budget, 1.8)
    at.now -= DAY
    expect((await denied(budget, { subject, amount: 0.01 })).startsAt).toBe(Date.UTC(2026, 2, 3))
  })

  it("costs three additional store calls in the first reserve of a window, and none later", async () => {
    const at = world()
    const budget = budgetOn(at, { limits: [daily()] })
    await spend(budget, 0.2)
    at.now += DAY
    at.calls.length = 0
    await reserved(budget, { subject, amount: 0.1 })
    // The budget learns from the first adjust that the window is over.
    expect(at.calls.filter((call) => call === "read")).toHaveLength(1)
    expect(at.calls.filter((call) => call === "adjust").length).toBeLessThanOrEqual(3)
    at.calls.length = 0
    await reserved(budget, { subject, amount: 0.1 })
    expect(at.calls).toEqual(["reserve"])
  })

  it.each([
    ["carryOver", { per: "total", carryOver: true }],
    ["carryOver", { per: "day", limit: null, carryOver: true }],
    ["carryOver", { per: "day", carryOver: -1 }],
    ["carryOver", { per: "day", carryOver: 11 }],
    ["carryOver", { per: "day", carryOver: "all" }],
  ])("rejects `%s` of %j", (name, more) => {
    expect(() => budgetOn(world(), { limits: [{ ...daily(), ...more } as never] })).toThrowError(
      `\`limits[0].${name}\``,
    )
  })
})
