import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import type { BudgetAlert, BudgetStore } from "../src"
import { budgetOn, changedStore, denied, reserved, type World, world } from "./budget-world"

const LEASE_MS = 60_000
const limits = [{ scope: "total", limit: 1 }] as const

let at: World

beforeEach(() => {
  vi.useFakeTimers()
  at = world(Date.now())
})

afterEach(() => {
  vi.useRealTimers()
})

/** Reservations whose owner is gone: no heartbeat extends them. */
async function orphans(count: number, options: object = {}) {
  const owner = budgetOn(at, { limits: [{ scope: "total", limit: null }], onExpire: "release", leaseMs: LEASE_MS })
  for (let index = 0; index < count; index++)
    await reserved(owner, { idempotencyKey: `o${index}`, amount: { nanoUsd: 1_000 }, ...options })
  await owner.close({ keepStore: true })
  at.now += LEASE_MS
}

const countOf = (member: keyof BudgetStore) => at.calls.filter((call) => call === member).length

describe("a background sweep", () => {
  it("starts when a reply says that leases have ended, and ends at the last page", async () => {
    await orphans(100)
    const budget = budgetOn(at, { limits })
    await reserved(budget, { amount: 0.5 })
    await vi.advanceTimersByTimeAsync(0)
    expect([countOf("listDue"), countOf("expire")]).toEqual([2, 100])
    expect((await budget.status())[0]).toMatchObject({ reserved: 0.5, spent: 0 })
  })

  it("starts at most once a second, and by a status too", async () => {
    await orphans(1)
    const budget = budgetOn(at, { limits })
    await budget.status()
    await vi.advanceTimersByTimeAsync(0)
    expect(countOf("expire")).toBe(1)
    await orphans(1, { idempotencyKey: "late" })
    const before = countOf("listDue")
    for (let index = 0; index < 5; index++) await budget.status()
    await vi.advanceTimersByTimeAsync(0)
    expect(countOf("listDue")).toBe(before)
    await vi.advanceTimersByTimeAsync(1_000)
    for (let index = 0; index < 5; index++) await budget.status()
    await vi.advanceTimersByTimeAsync(0)
    expect([countOf("listDue") - before, countOf("expire")]).toEqual([1, 2])
  })

  it("stops when another process expires the same leases", async () => {
    await orphans(200)
    const notDue = changedStore(at.store, { expire: async () => ({ now: at.now, status: "not-due" }) })
    const budget = budgetOn({ ...at, store: notDue }, { limits })
    await reserved(budget, { amount: 0.5 })
    await vi.advanceTimersByTimeAsync(0)
    expect(countOf("listDue")).toBe(1)
  })

  it("fails no call when the store is down, and warns of a damaged record", async () => {
    await orphans(3)
    const store = changedStore(at.store, {
      expire: async (request) => (request.key === "o1" ? { now: at.now, status: "damaged" } : at.store.expire(request)),
    })
    const budget = budgetOn({ ...at, store }, { limits })
    at.faults.push({ member: "listDue", kind: "down" })
    await reserved(budget, { amount: 0.1 })
    await vi.advanceTimersByTimeAsync(1_000)
    expect(at.warnings).toEqual([])
    await reserved(budget, { amount: 0.1 })
    await vi.advanceTimersByTimeAsync(0)
    expect(countOf("expire")).toBe(2)
    expect(at.warnings).toEqual([expect.stringContaining('record of reservation "o1" is damaged')])
  })

  it("delivers the alerts of expired reservations of any subject", async () => {
    const alerts: BudgetAlert[] = []
    const watched = [{ scope: "user", limit: 1, per: "day", alertAt: [0.5] }] as const
    const owner = budgetOn(at, { limits: watched, leaseMs: 1_000 })
    await reserved(owner, { subject: { userId: "ada" }, amount: 0.75 })
    at.now += 1_000
    const budget = budgetOn(at, { limits: watched, onAlert: (alert) => void alerts.push(alert) })
    await reserved(budget, { subject: { userId: "bob" }, amount: 0.1 })
    await vi.advanceTimersByTimeAsync(0)
    expect(alerts).toMatchObject([{ threshold: 0.5, value: "ada", spent: 0.75, limit: 1, window: "day" }])
  })
})

describe("a denial with leases that have ended", () => {
  it("waits for a sweep and reserves again", async () => {
    await orphans(70, { amount: { usd: 0.1 } })
    const budget = budgetOn(at, { limits })
    await reserved(budget, { amount: 1 })
    expect(countOf("reserve")).toBe(72)
  })

  it("joins the sweep that is running", async () => {
    await orphans(70, { amount: { usd: 0.1 } })
    const budget = budgetOn(at, { limits: [{ scope: "total", limit: { usd: 1, requests: 1_000 } }] })
    const results = await Promise.all([1, 2, 3].map(() => budget.reserve({ amount: 0.25 })))
    expect(results.map(({ ok }) => ok)).toEqual([true, true, true])
    expect([countOf("listDue"), countOf("expire")]).toEqual([2, 70])
  })

  it("stands after the store's timeout when the sweep takes too long, with `dueLeases`", async () => {
    await orphans(3, { amount: { usd: 1 } })
    at.faults.push({ member: "listDue", kind: "hang" })
    const budget = budgetOn(at, { limits })
    const denial = denied(budget, { amount: 0.5 })
    await vi.advanceTimersByTimeAsync(at.store.capabilities.timeoutMs)
    const error = await denial
    expect(error).toMatchObject({ dueLeases: true, retryAfterMs: 1_000, reserved: 3 })
    expect(countOf("reserve")).toBe(5)
  })

  it("stands after one more try when the money is spent", async () => {
    const spender = budgetOn(at, { limits })
    await (await reserved(spender, { amount: 1 })).settle(1)
    await orphans(1)
    const error = await denied(budgetOn(at, { limits }), { amount: 0.5 })
    expect(error).toMatchObject({ dueLeases: false, spent: 1, retryAfterMs: null })
  })
})

describe("budget.sweep", () => {
  it("expires at most `max` leases and returns whether more wait", async () => {
    await orphans(130)
    const budget = budgetOn(at, { limits })
    expect(await budget.sweep({ max: 100 })).toEqual({ expired: 100, more: true })
    expect(await budget.sweep({ max: 30 })).toEqual({ expired: 30, more: false })
    expect(await budget.sweep()).toEqual({ expired: 0, more: false })
    await expect(budget.sweep({ max: 0 })).rejects.toMatchObject({ argument: "max" })
  })
})

describe("a reserve under a key whose own lease has ended", () => {
  it("expires that lease first, and rejects because the key is resolved", async () => {
    await orphans(100)
    const budget = budgetOn(at, { limits: [{ scope: "total", limit: null }], onExpire: "release" })
    const again = budget.reserve({ idempotencyKey: "o99", amount: { nanoUsd: 1_000 } })
    await expect(again).rejects.toMatchObject({ code: "reservation-resolved", state: "expired" })
  })

  it("does not release the reservation when the store fails meanwhile", async () => {
    const owner = budgetOn(at, { limits, leaseMs: LEASE_MS })
    await reserved(owner, { idempotencyKey: "job", amount: 0.5 })
    await owner.close({ keepStore: true })
    at.now += LEASE_MS
    const budget = budgetOn(at, { limits })
    at.faults.push({ member: "expire", kind: "lost" })
    const again = budget.reserve({ idempotencyKey: "job", amount: 0.5 })
    await expect(again).rejects.toMatchObject({ code: "store-unavailable", applied: "maybe" })
    expect(budget.pending).toBe(0)
    // The owner may have sent its call: it stays charged.
    expect((await budget.status())[0]).toMatchObject({ spent: 0.5, reserved: 0 })
  })

  it("gives up when the store repeats that reply", async () => {
    const store = changedStore(at.store, {
      reserve: async (request) => ({
        ...(await at.store.read({ partition: request.partition, counters: request.counters.map(({ name }) => name) })),
        status: "lease-ended",
        storedCounters: [],
      }),
    })
    const budget = budgetOn({ ...at, store }, { limits })
    await expect(budget.reserve({ amount: 0.5 })).rejects.toMatchObject({ code: "store-corrupt", applied: "no" })
    expect(countOf("expire")).toBe(2)
  })
})
