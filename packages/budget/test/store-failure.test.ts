import { afterEach, describe, expect, it, vi } from "vitest"
import { type Budget, ReservationResolvedError, SettleMismatchError } from "../src"
import { budgetOn, changedStore, denied, reserved, USD, world } from "./budget-world"

const subject = { userId: "ada", clientId: "web" }

afterEach(() => {
  vi.useRealTimers()
})

describe("a store that fails", () => {
  const limits = [{ scope: "user", limit: 1 }] as const

  it("rejects with a StoreError within its timeout", async () => {
    vi.useFakeTimers()
    const at = world(Date.now())
    const budget = budgetOn(at, { limits })
    at.faults.push({ member: "reserve", kind: "hang" })
    const outcome = expect(budget.reserve({ subject, amount: { usd: 1 } })).rejects.toMatchObject({
      name: "StoreError",
      code: "store-unavailable",
      applied: "maybe",
    })
    await vi.advanceTimersByTimeAsync(at.store.capabilities.timeoutMs)
    await outcome
    // What it may have reserved is released.
    await vi.advanceTimersByTimeAsync(200)
    expect(at.calls).toEqual(["reserve", "settle"])
    expect((await budget.status(subject))[0]).toMatchObject({ reserved: 0, spent: 0 })
  })

  it("releases a reserve that got no reply, and rejects its key until the release is confirmed", async () => {
    vi.useFakeTimers()
    const at = world(Date.now())
    const budget = budgetOn(at, { limits })
    at.faults.push(
      { member: "reserve", kind: "lost" },
      { member: "settle", kind: "down" },
      { member: "settle", kind: "down" },
    )
    const owned = { subject, amount: { usd: 1 }, idempotencyKey: "x", releaseUnanswered: true }
    await expect(budget.reserve(owned)).rejects.toMatchObject({ applied: "maybe" })
    await expect(budget.reserve({ subject, amount: { usd: 1 }, idempotencyKey: "x" })).rejects.toMatchObject({
      applied: "no",
    })
    await denied(budget, { subject, amount: { usd: 1 } })
    await vi.advanceTimersByTimeAsync(2_000)
    expect(budget.pending).toBe(0)
    await expect(budget.reserve({ subject, amount: { usd: 1 }, idempotencyKey: "x" })).rejects.toBeInstanceOf(
      ReservationResolvedError,
    )
    await reserved(budget, { subject, amount: { usd: 1 } })
  })

  it("does not release what another call has reserved under the key of a lost reserve", async () => {
    const at = world()
    const budget = budgetOn(at, { limits })
    const request = { subject, amount: { usd: 0.4 }, idempotencyKey: "shared" }
    const first = await reserved(budget, request)
    at.faults.push({ member: "reserve", kind: "lost" })
    await expect(budget.reserve(request)).rejects.toMatchObject({ applied: "maybe" })
    expect(await budget.flush()).toBe(true)
    expect((await budget.status(subject))[0]).toMatchObject({ reserved: 0.4, spent: 0 })
    expect(await first.settle({ usd: 0.3 })).toMatchObject({ status: "settled", replayed: false })
    expect((await budget.status(subject))[0]).toMatchObject({ reserved: 0, spent: 0.3 })
  })

  it("charges a reservation that a lost reserve of another process released by mistake, once per revision", async () => {
    const at = world()
    const [ours, theirs] = [1, 2].map(() => budgetOn(at, { limits: [{ scope: "total", limit: 9 }] })) as [
      Budget,
      Budget,
    ]
    const reservation = await reserved(ours, { idempotencyKey: "job", amount: { usd: 1 } })
    at.faults.push({ member: "reserve", kind: "lost" })
    const wrong = { idempotencyKey: "job", amount: { usd: 1 }, releaseUnanswered: true }
    await expect(theirs.reserve(wrong)).rejects.toMatchObject({ applied: "maybe" })
    expect(await theirs.flush()).toBe(true)
    expect((await ours.status())[0]).toMatchObject({ spent: 0, reserved: 0 })
    expect(await reservation.settle({ usd: 0.25 })).toMatchObject({ status: "settled", recovered: true })
    expect((await ours.status())[0]).toMatchObject({ spent: 1 / 4, reserved: 0 })
    expect(await reservation.settle({ usd: 0.25 })).toMatchObject({ status: "settled", replayed: true })
    await expect(reservation.settle({ usd: 0.5 })).rejects.toBeInstanceOf(SettleMismatchError)
    await reservation.settle({ usd: 0.5 }, {}, { revision: 1 })
    expect((await ours.status())[0]).toMatchObject({ spent: 1 / 2, reserved: 0 })
    expect(at.warnings).toEqual([expect.stringContaining('"job" was released by another caller of its key')])
    const { entries } = await ours.usage.list({})
    expect(entries.map(({ requestId }) => requestId)).toEqual(["job", "job"])
    expect(entries.map(({ costNanoUsd }) => costNanoUsd).sort()).toEqual([0, USD / 2])
  })

  it("charges it in the background too, when the store is down meanwhile", async () => {
    const at = world()
    const [ours, theirs] = [1, 2].map(() => budgetOn(at, { limits: [{ scope: "total", limit: 9 }] })) as [
      Budget,
      Budget,
    ]
    const reservation = await reserved(ours, { idempotencyKey: "job", amount: { usd: 1 } })
    at.faults.push({ member: "reserve", kind: "lost" }, { member: "settle", kind: "down" })
    const wrong = { idempotencyKey: "job", amount: { usd: 1 }, releaseUnanswered: true }
    await expect(theirs.reserve(wrong)).rejects.toMatchObject({ applied: "maybe" })
    expect(await reservation.settle({ usd: 0.25 })).toMatchObject({ status: "pending" })
    expect(await theirs.flush()).toBe(true)
    at.faults.push({ member: "settle", kind: "lost" })
    at.faults.push({ member: "extend", kind: "down" })
    await ours.close({ keepStore: true })
    expect((await theirs.status())[0]).toMatchObject({ spent: 1 / 4, reserved: 0 })
  })

  it("does not release what another call is settling under the key of a lost reserve", async () => {
    const at = world()
    const budget = budgetOn(at, { limits })
    const request = { subject, amount: { usd: 0.4 }, idempotencyKey: "shared" }
    const first = await reserved(budget, request)
    at.faults.push({ member: "reserve", kind: "lost" }, { member: "settle", kind: "down" })
    // The settle fails while the reserve is under way: a release now would arrive before it.
    const [second, settled] = await Promise.allSettled([budget.reserve(request), first.settle({ usd: 0.3 })])
    expect(second).toMatchObject({ status: "rejected", reason: { applied: "maybe" } })
    expect(settled).toMatchObject({ status: "fulfilled", value: { status: "pending" } })
    expect(await budget.flush()).toBe(true)
    expect(at.warnings).toEqual([])
    expect((await budget.status(subject))[0]).toMatchObject({ reserved: 0, spent: 0.3 })
    // A lost reserve without a key of the caller is released.
    at.faults.push({ member: "reserve", kind: "lost" })
    const { idempotencyKey: _key, ...unnamed } = request
    await expect(budget.reserve(unnamed)).rejects.toMatchObject({ applied: "maybe" })
    expect(await budget.flush()).toBe(true)
    expect((await budget.status(subject))[0]).toMatchObject({ reserved: 0 })
  })

  it("does not lose a settle: it is pending, sent again with the same content, and confirmed", async () => {
    const at = world()
    const budget = budgetOn(at, { limits })
    const reservation = await reserved(budget, { subject, amount: { usd: 1 } })
    at.faults.push({ member: "settle", kind: "lost" })
    expect(await reservation.settle({ usd: 0.3 })).toMatchObject({ status: "pending" })
    expect(budget.pending).toBe(1)
    expect(await budget.flush()).toBe(true)
    expect(await reservation.settle({ usd: 0.3 })).toMatchObject({ status: "settled", replayed: true })
    expect((await budget.status(subject))[0]!.spent).toBe(0.3)
  })

  it("admits calls up to `allowUpTo`, and charges them when it is back", async () => {
    const at = world()
    const budget = budgetOn(at, { limits, onStoreFailure: { allowUpTo: { usd: "0.50" } } })
    at.faults.push(...Array.from({ length: 3 }, () => ({ member: "reserve", kind: "down" }) as const))
    const first = await reserved(budget, { subject, amount: { usd: 0.3 } })
    expect(first.expiresAt).toBeNull()
    await expect(budget.reserve({ subject, amount: { usd: 0.3 } })).rejects.toMatchObject({ code: "store-unavailable" })
    at.faults.push({ member: "settle", kind: "down" })
    expect(await first.settle({ usd: 0.2 })).toMatchObject({ status: "pending" })
    // The allowance stays in use until the store has confirmed the charge.
    await expect(budget.reserve({ subject, amount: { usd: 0.3 } })).rejects.toMatchObject({ code: "store-unavailable" })
    expect(await budget.flush()).toBe(true)
    expect((await budget.status(subject))[0]).toMatchObject({ spent: 0.2, reserved: 0 })
    at.faults.push({ member: "reserve", kind: "down" })
    await reserved(budget, { subject, amount: { usd: 0.5 } })
  })

  it("is reported by close, which waits no longer than its timeout", async () => {
    const at = world()
    const budget = budgetOn(at, { limits })
    const reservation = await reserved(budget, { subject, amount: { usd: 1 } })
    at.faults.push(...Array.from({ length: 50 }, () => ({ member: "settle", kind: "down" }) as const))
    await reservation.settle({ usd: 1 })
    await budget.close({ timeoutMs: 20 })
    expect(budget.pending).toBe(0)
    expect(at.warnings).toEqual([expect.stringContaining("1 unconfirmed settlement")])
  })

  it("that is misconfigured admits nothing", async () => {
    const at = world()
    const check = async () => ({ ok: false, durability: "none" as const, warnings: ["It evicts keys."] })
    at.store = changedStore(at.store, { check })
    const budget = budgetOn(at, { limits, onStoreFailure: { allowUpTo: { usd: 5 } } })
    await expect(budget.reserve({ subject, amount: { usd: 1 } })).rejects.toMatchObject({ code: "store-misconfigured" })
    expect(at.calls).toEqual([])
  })
})
