import { afterEach, describe, expect, it, vi } from "vitest"
import type { SettleRequest } from "../src/store"
import { budgetOn, changedStore, reserved, USD, type World, world } from "./budget-world"

const BEFORE_MIDNIGHT = Date.UTC(2026, 2, 2, 23, 59, 59)
const limits = [
  { scope: "user", limit: { usd: 5, tokens: 1_000 }, per: "day" },
  { scope: "total", limit: { requests: 9 }, per: "hour" },
] as const
const call = { subject: { userId: "ada" }, amount: { usd: 1, tokens: 50 }, idempotencyKey: "late" }
const day = (startsAt: number) => `${startsAt.toString(36)}-${(startsAt + 86_400_000).toString(36)}`

afterEach(() => {
  vi.useRealTimers()
})

/** A reservation of yesterday that was reserved again today. */
async function retriedAfterMidnight(at: World) {
  await reserved(budgetOn(at, { limits }), call)
  at.now += 2_000
  const budget = budgetOn(at, { limits })
  return { budget, reservation: await reserved(budget, call) }
}

describe("a reservation that was made in other counters than this process names", () => {
  it("is settled where it was made, with the amounts by unit, in two calls", async () => {
    const at = world(BEFORE_MIDNIGHT)
    const { budget, reservation } = await retriedAfterMidnight(at)
    at.calls.length = 0
    expect(await reservation.settle({ usd: 0.25, tokens: 7 })).toMatchObject({ status: "settled", recovered: false })
    expect(at.calls).toEqual(["settle", "settle"])
    const [entry] = (await budget.usage.list()).entries
    const hour = Date.UTC(2026, 2, 2, 23)
    expect(entry!.charges).toEqual({
      [`u=ada|usd|${day(Date.UTC(2026, 2, 2))}`]: 0.25 * USD,
      [`u=ada|tok|${day(Date.UTC(2026, 2, 2))}`]: 7,
      [`total|req|${hour.toString(36)}-${(hour + 3_600_000).toString(36)}`]: 1,
    })
    expect((await budget.status(call.subject)).map(({ spent, reserved }) => [spent, reserved])).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
    ])
    expect(await reservation.settle({ usd: 0.25, tokens: 7 })).toMatchObject({ status: "settled", replayed: true })
  })

  it("is released where it was made", async () => {
    const at = world(BEFORE_MIDNIGHT)
    const { reservation } = await retriedAfterMidnight(at)
    expect(await reservation.release()).toMatchObject({ status: "released" })
    const counters = [`u=ada|usd|${day(Date.UTC(2026, 2, 2))}`]
    const reply = await at.store.read({ partition: "main", counters })
    expect(reply.counters).toMatchObject([{ spent: 0, reserved: 0 }])
  })

  it("is settled there in the background too, when the store was down", async () => {
    const at = world(BEFORE_MIDNIGHT)
    const { budget, reservation } = await retriedAfterMidnight(at)
    at.faults.push({ member: "settle", kind: "down" })
    expect(await reservation.settle({ usd: 0.25, tokens: 7 })).toMatchObject({ status: "pending" })
    expect(await budget.flush()).toBe(true)
    const [entry] = (await budget.usage.list()).entries
    expect(entry!.charges).toMatchObject({ [`u=ada|usd|${day(Date.UTC(2026, 2, 2))}`]: 0.25 * USD })
    expect(at.warnings).toEqual([])
  })
})

describe("a store that names other counters", () => {
  const naming = (at: World, names: (request: SettleRequest) => string[]) => {
    const settle = async (request: SettleRequest) => ({
      ...{ now: at.now, status: "other-counters" as const },
      storedCounters: names(request),
    })
    return budgetOn({ ...at, store: changedStore(at.store, { settle }) }, { limits })
  }

  it("twice in a row is unavailable, and the settle stays pending", async () => {
    const at = world()
    const budget = naming(at, ({ counters }) => counters.map(({ name }) => name))
    const settlement = await (await reserved(budget, call)).settle(0.5)
    expect(settlement).toMatchObject({ status: "pending", error: { code: "store-unavailable", applied: "no" } })
    await budget.close({ timeoutMs: 10, keepStore: true })
  })

  it("that no budget created, or of a unit that was not reserved, is `store-corrupt`", async () => {
    for (const name of ["of-another-program", "total|usd|total"]) {
      const at = world()
      const requests = [{ scope: "total", limit: { requests: 5 } }] as const
      const budget = budgetOn(
        {
          ...at,
          store: changedStore(at.store, {
            settle: async () => ({ now: at.now, status: "other-counters", storedCounters: [name] }),
          }),
        },
        { limits: requests },
      )
      const settlement = await (await reserved(budget, { amount: {} })).settle({ requests: 1 })
      expect(settlement).toMatchObject({ status: "pending", error: { code: "store-corrupt", applied: "no" } })
      await budget.close({ timeoutMs: 10, keepStore: true })
    }
  })
})
