import { describe, expect, it } from "vitest"
import { createBudget, memoryStore, ReservationHeldError } from "../src"
import { budgetOn, changedStore, world } from "./budget-world"

const _subject = { userId: "ada", clientId: "web" }

describe("run", () => {
  it("settles the cost of the call and returns its value", async () => {
    const budget = budgetOn(world(), { limits: [{ scope: "total", limit: 1 }] })
    const outcome = await budget.run({ amount: { usd: 1 } }, async () => ({ value: "hi", cost: { usd: 0.25 } }))
    expect(outcome).toMatchObject({ ok: true, value: "hi", settlement: { status: "settled" } })
    expect((await budget.run({ amount: { usd: 1 } }, async () => ({ value: 1, cost: { usd: 0 } }))).ok).toBe(false)
  })

  it("calls once per key, even if others use the key", async () => {
    const here = world()
    const budgets = [1, 2].map(() => budgetOn(here, { limits: [{ scope: "total", limit: 9 }] }))
    const calls: string[] = []
    const outcomes = await Promise.allSettled(
      [...budgets, ...budgets].map((budget) =>
        budget.run({ idempotencyKey: "one", amount: { usd: 1 } }, async ({ idempotencyKey }) => {
          calls.push(idempotencyKey)
          await new Promise((resolve) => setTimeout(resolve, 5))
          return { value: "hi", cost: { usd: 0.25 } }
        }),
      ),
    )
    expect(calls).toEqual(["one"])
    const errors = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []))
    expect(errors.map((error) => [error instanceof ReservationHeldError, error.code, error.idempotencyKey])).toEqual(
      Array(3).fill([true, "reservation-held", "one"]),
    )
    expect((await budgets[0]!.status())[0]).toMatchObject({ spent: 1 / 4, reserved: 0 })
    const again = budgets[1]!.run({ idempotencyKey: "one", amount: { usd: 1 } }, async () => ({
      value: 1,
      cost: { usd: 0 },
    }))
    await expect(again).rejects.toMatchObject({ code: "reservation-resolved", state: "settled" })
  })

  it("continues when a store replays its own reservation under a random key", async () => {
    const inner = memoryStore()
    const twice = changedStore(inner, {
      reserve: async (request) => inner.reserve(request).then(() => inner.reserve(request)),
    })
    const budget = createBudget({ store: twice, limits: [{ scope: "total", limit: 9 }] })
    const outcome = await budget.run({ amount: { usd: 1 } }, async () => ({ value: "hi", cost: { usd: 0.25 } }))
    expect(outcome).toMatchObject({ ok: true, value: "hi" })
  })

  it("charges the upper bound of a call that throws, unless `onError` returns another charge", async () => {
    const budget = budgetOn(world(), { limits: [{ scope: "total", limit: 9 }] })
    const spent = async () => (await budget.status())[0]!.spent
    const fail = async () => {
      throw new Error("cut")
    }
    await expect(budget.run({ amount: { usd: 1 } }, fail)).rejects.toThrow("cut")
    expect(await spent()).toBe(1)
    await expect(budget.run({ amount: { usd: 1 }, onError: "release" }, fail)).rejects.toThrow("cut")
    expect(await spent()).toBe(1)
    await expect(budget.run({ amount: { usd: 1 }, onError: () => ({ usd: 0.5 }) }, fail)).rejects.toThrow("cut")
    expect(await spent()).toBe(1.5)
  })
})
