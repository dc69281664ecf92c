import { afterEach, expect, it, vi } from "vitest"
import { ReservationResolvedError, UnknownReservationError } from "../src"
import { budgetOn, changedStore, reserved, USD, world } from "./budget-world"

const limits = [
  { scope: "user", limit: { usd: 5, tokens: 1_000 }, per: "day" },
  { scope: { tag: "team" }, limit: 9 },
  { scope: "total", limit: 9 },
] as const
const subject = { userId: "ada", tags: { team: "search" } }
const call = { subject, amount: { usd: 1, tokens: 50 }, idempotencyKey: "job-7" }

afterEach(() => {
  vi.useRealTimers()
})

it("another process settles a reservation by its key, in the counters and the ledger of its subject", async () => {
  const at = world()
  await reserved(budgetOn(at, { limits }), call)
  const budget = budgetOn(at, { limits })
  const reservation = await budget.resume("job-7")
  expect(reservation).toMatchObject({
    ...{ idempotencyKey: "job-7", partition: "main", replayed: true, limits: [] },
    amount: { nanoUsd: USD, tokens: 50, requests: 1 },
  })
  expect(await reservation.settle(0.25, { tokens: { inputTokens: 10, outputTokens: 5 } })).toMatchObject({
    status: "settled",
    overrunNanoUsd: 0,
  })
  expect((await budget.status(subject)).map(({ spent, reserved }) => [spent, reserved])).toEqual([
    [0.25, 0],
    [15, 0],
    [0.25, 0],
    [0.25, 0],
  ])
  // The subject comes from the counters' names.
  expect(await budget.usage.get("job-7")).toMatchObject([
    { userId: "ada", tags: { team: "search" }, reservedNanoUsd: USD, costNanoUsd: 0.25 * USD, status: "succeeded" },
  ])
})

it("a resumed reservation can be released, and the subject that is given is recorded", async () => {
  const at = world()
  await reserved(budgetOn(at, { limits }), call)
  const budget = budgetOn(at, { limits })
  await (await budget.resume("job-7", { subject: { ...subject, clientId: "web", model: "m" } })).release()
  expect((await budget.status(subject))[0]).toMatchObject({ spent: 0, reserved: 0 })
  expect(await budget.usage.get("job-7")).toMatchObject([
    { userId: "ada", clientId: "web", model: "m", status: "released" },
  ])
})

it("heartbeats of this process extend the lease", async () => {
  vi.useFakeTimers()
  const at = world(Date.now())
  await reserved(budgetOn(at, { limits, leaseMs: 30_000, maxLeaseMs: 1_000 }), call)
  const reservation = await budgetOn(at, { limits, leaseMs: 30_000 }).resume("job-7")
  const end = reservation.expiresAt!
  at.now += 10_000
  await vi.advanceTimersByTimeAsync(10_000)
  expect(reservation.expiresAt).toBe(end + 10_000)
})

it("a key that the store does not know is an error, and so is one that is resolved", async () => {
  const at = world()
  const budget = budgetOn(at, { limits })
  const unknown = await budget.resume("nothing").catch((error: unknown) => error)
  expect(UnknownReservationError.isInstance(unknown)).toBe(true)
  expect(unknown).toMatchObject({ code: "unknown-reservation", kind: "failed", idempotencyKey: "nothing" })
  const reservation = await reserved(budget, call)
  await reservation.settle(1)
  const resolved = await budget.resume("job-7").catch((error: unknown) => error)
  expect(ReservationResolvedError.isInstance(resolved) && resolved.state).toBe("settled")
  const lost = await reserved(budget, { ...call, idempotencyKey: "job-8" })
  expect(lost.expiresAt).not.toBeNull()
  at.now += 60_000
  await expect(budget.resume("job-8")).rejects.toMatchObject({ code: "reservation-resolved", state: "expired" })
  await expect(budget.resume("")).rejects.toMatchObject({ argument: "idempotencyKey" })
  await expect(budget.resume("a", { subjet: {} } as never)).rejects.toThrow("Did you mean `subject`?")
})

it("counters that no budget created are `store-corrupt`, and nothing is settled", async () => {
  const at = world()
  const foreign = async () => ({
    ...{ now: at.now, status: "held" as const, expiresAt: at.now + 1, fingerprint: "f" },
    counters: [{ name: "of-another-program", amount: 5, onExpire: 0 }],
  })
  const budget = budgetOn({ ...at, store: changedStore(at.store, { extend: foreign }) }, { limits })
  await expect(budget.resume("job-7")).rejects.toMatchObject({ code: "store-corrupt", applied: "no" })
})
