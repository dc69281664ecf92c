import { redisForTests } from "@p2/redis-server"
import { Redis } from "ioredis"
import { afterAll, describe, expect, it } from "vitest"
import { type Budget, type BudgetStore, createBudget, memoryStore, type ReserveOptions, StoreError } from "../src"
import { redisStore } from "../src/redis"
import { createStore } from "../src/store"
import { changedStore, reserved, USD } from "./budget-world"
import { TestStorage } from "./store/test-storage"

/** Far ahead of the real time, so that a server deletes nothing by its own clock. */
const START = Date.UTC(2060, 0, 31, 12)
const LEASE_MS = 60_000
const limits = [{ scope: "user", limit: 1, per: "day" }] as const
const subject = { userId: "ada" }
const call = { subject, amount: 0.4 } satisfies ReserveOptions

const redis = await redisForTests()
const client = redis && new Redis(redis.url)
let prefixes = 0
afterAll(async () => {
  client?.disconnect()
  await redis?.close()
})

type Clock = { now: number }
const stores: [string, (clock: Clock) => BudgetStore][] = [
  ["memory", (clock) => memoryStore({ now: () => clock.now })],
  ["createStore", (clock) => createStore(new TestStorage({ now: () => clock.now }))],
]
if (client !== undefined)
  stores.push([
    "Redis",
    (clock) =>
      redisStore({
        client,
        prefix: `lost-${process.pid}-${prefixes++}`,
        now: () => clock.now,
        timeoutMs: 20_000,
      }),
  ])

describe.each(stores)("on %s", (_name, open) => {
  /** Budgets of several processes on one store. `losing` applies each reserve and loses its reply. */
  async function processes() {
    const clock = { now: START }
    const store = open(clock)
    const budgetOf = (own: BudgetStore) => createBudget({ store: own, limits, leaseMs: LEASE_MS, onWarning: () => {} })
    const losing = changedStore(store, {
      reserve: async (request) => {
        await store.reserve(request)
        throw new StoreError("The reply was lost.", { code: "store-unavailable", applied: "maybe" })
      },
    })
    const delayed = changedStore(store, {
      // The connection delivers the request twice, the second time after the end of the lease.
      reserve: async (request) => {
        await store.reserve(structuredClone(request))
        clock.now += LEASE_MS
        return store.reserve(request)
      },
    })
    const budgets = { budget: budgetOf(store), losing: budgetOf(losing), delayed: budgetOf(delayed) }
    // Each process learns the time of the store.
    for (const budget of Object.values(budgets)) await budget.status(subject)
    return { clock, ...budgets }
  }

  const stateOf = async (budget: Budget) => {
    const [user] = await budget.status(subject)
    return [user!.spentNanoUsd! / USD, user!.reservedNanoUsd! / USD]
  }
  const entriesOf = async (budget: Budget) =>
    (await budget.usage.list()).entries.map(({ state, costNanoUsd }) => [state, costNanoUsd / USD])
  const lost = { code: "store-unavailable", applied: "maybe" }

  describe("a reserve whose reply is lost", () => {
    it("is released in the background, without a key of the caller", async () => {
      const { budget, losing } = await processes()
      await expect(losing.reserve(call)).rejects.toMatchObject(lost)
      expect(await losing.flush()).toBe(true)
      expect(await stateOf(budget)).toEqual([0, 0])
      expect(await entriesOf(budget)).toEqual([["released", 0]])
    })

    it("is released under a key of the caller that no other call uses", async () => {
      const { budget, losing } = await processes()
      const own = { ...call, idempotencyKey: "own", releaseUnanswered: true }
      await expect(losing.reserve(own)).rejects.toMatchObject(lost)
      expect(await losing.flush()).toBe(true)
      expect(await stateOf(budget)).toEqual([0, 0])
    })

    it("leaves the reservation of another owner of the key, which is charged when it is settled", async () => {
      const { budget, losing } = await processes()
      const owner = await reserved(budget, { ...call, idempotencyKey: "job" })
      await expect(losing.reserve({ ...call, idempotencyKey: "job" })).rejects.toMatchObject(lost)
      expect(await losing.flush()).toBe(true)
      expect(await stateOf(budget)).toEqual([0, 0.4])
      expect(await owner.settle(0.3)).toMatchObject({ status: "settled", recovered: false, late: false })
      expect(await entriesOf(budget)).toEqual([["settled", 0.3]])
    })

    it("leaves the reservation of a dead owner of the key to its lease, which charges `onExpire`", async () => {
      const { clock, budget, losing } = await processes()
      await reserved(budget, { ...call, idempotencyKey: "job", maxLeaseMs: 1_000 })
      await expect(losing.reserve({ ...call, idempotencyKey: "job" })).rejects.toMatchObject(lost)
      expect(await losing.flush()).toBe(true)
      clock.now += LEASE_MS
      await budget.sweep()
      expect(await stateOf(budget)).toEqual([0.4, 0])
      expect(await budget.usage.totals()).toMatchObject([{ inDoubt: 1, inDoubtNanoUsd: 0.4 * USD }])
    })

    it("is the same reservation when it is sent again with the key of the caller", async () => {
      const { budget, losing } = await processes()
      await expect(losing.reserve({ ...call, idempotencyKey: "job" })).rejects.toMatchObject(lost)
      const again = await reserved(budget, { ...call, idempotencyKey: "job" })
      expect(again.replayed).toBe(true)
      await again.settle(0.1)
      expect(await stateOf(budget)).toEqual([0.1, 0])
    })
  })

  describe("a reserve that is delivered twice, across the end of its lease", () => {
    it("is an error, and charges nothing without a key of the caller", async () => {
      const { budget, delayed } = await processes()
      await expect(delayed.reserve(call)).rejects.toMatchObject({ code: "reservation-resolved", state: "expired" })
      expect(await delayed.flush()).toBe(true)
      expect(await stateOf(budget)).toEqual([0, 0])
      expect(await entriesOf(budget)).toEqual([["released", 0]])
    })

    it.each([false, true])(
      "is an error, and stays charged by `onExpire` under a key of the caller, whose call may have been sent (%s)",
      async (releaseUnanswered) => {
        const { budget, delayed } = await processes()
        const named = { ...call, idempotencyKey: "job", releaseUnanswered }
        await expect(delayed.reserve(named)).rejects.toMatchObject({ code: "reservation-resolved", state: "expired" })
        expect(delayed.pending).toBe(0)
        expect(await stateOf(budget)).toEqual([0.4, 0])
        expect(await budget.usage.list()).toMatchObject({ entries: [{ state: "expired", inDoubt: true }] })
      },
    )
  })

  it("a reserve of an own key that is settled releases nothing", async () => {
    const { budget } = await processes()
    const own = { ...call, idempotencyKey: "own", releaseUnanswered: true }
    await (await reserved(budget, own)).settle(0.3)
    await expect(budget.reserve(own)).rejects.toMatchObject({ code: "reservation-resolved", state: "settled" })
    expect(budget.pending).toBe(0)
    expect(await stateOf(budget)).toEqual([0.3, 0])
  })

  it("a top-up that is sent again after its window has ended is a usage error that says so", async () => {
    const { clock, budget } = await processes()
    const topUp = { subject, scope: "user", amount: 2, idempotencyKey: "gift" } as const
    expect(await budget.topUp(topUp)).toMatchObject([{ granted: 2 }])
    expect(await budget.topUp(topUp)).toMatchObject([{ granted: 2 }])
    const message = /expected a new key: this one was used for another amount or limit, or for an earlier window/
    await expect(budget.topUp({ ...topUp, amount: 3 })).rejects.toThrow(message)
    // The key of an adjustment is kept until the end of its window and the store's retention.
    clock.now = Date.UTC(2060, 1, 1) + 60_000
    expect(await budget.status(subject)).toMatchObject([{ granted: 0 }])
    await expect(budget.topUp(topUp)).rejects.toThrow(message)
    expect(await budget.status(subject)).toMatchObject([{ granted: 0 }])
    expect(await budget.topUp({ ...topUp, idempotencyKey: "gift-2" })).toMatchObject([{ granted: 2 }])
  })
})
