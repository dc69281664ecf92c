import { describe, expect, it } from "vitest"
import { IdempotencyKeyMismatchError, SettleMismatchError } from "../src"
import { budgetOn, changedStore, reserved, USD, world } from "./budget-world"

const subject = { userId: "ada", clientId: "web" }

describe("settling", () => {
  it("charges the cost by unit, and units without a cost in full", async () => {
    const budget = budgetOn(world(), { limits: [{ scope: "user", limit: { usd: 10, tokens: 1_000, requests: 9 } }] })
    const units = async () => Object.fromEntries((await budget.status(subject)).map(({ unit, spent }) => [unit, spent]))
    await (await reserved(budget, { subject, amount: { usd: 1, tokens: 100 } })).settle({ usd: 0.5, tokens: 40 })
    expect(await units()).toEqual({ usd: 0.5, tokens: 40, requests: 1 })
    await (await reserved(budget, { subject, amount: { usd: 1, tokens: 100 } })).settle({ usd: 0.5 })
    expect(await units()).toEqual({ usd: 1, tokens: 140, requests: 2 })
    const third = await reserved(budget, { subject, amount: { usd: 1, tokens: 100 } })
    await expect(third.settle({})).rejects.toMatchObject({ argument: "cost" })
  })

  it("records a cost above the reservation in full, and reports the overrun", async () => {
    const budget = budgetOn(world(), { limits: [{ scope: "user", limit: 1 }] })
    const settlement = await (await reserved(budget, { subject, amount: { usd: 1 } })).settle({ usd: 1.5 })
    expect(settlement).toMatchObject({ status: "settled", overrunNanoUsd: 0.5 * USD })
    expect((await budget.status(subject))[0]!.remaining).toBe(-0.5)
  })

  it("is idempotent, rejects other amounts, and is replaced by a higher revision", async () => {
    const budget = budgetOn(world(), { limits: [{ scope: "user", limit: 1 }] })
    const reservation = await reserved(budget, { subject, amount: { usd: 1 } })
    expect(await reservation.settle({ usd: 0.5 })).toMatchObject({ status: "settled", replayed: false })
    expect(await reservation.settle({ usd: 0.5 })).toMatchObject({ status: "settled", replayed: true })
    await expect(reservation.settle({ usd: 0.6 })).rejects.toBeInstanceOf(SettleMismatchError)
    await expect(reservation.release()).rejects.toBeInstanceOf(SettleMismatchError)
    expect(await reservation.settle({ usd: 0.6 }, undefined, { revision: 1 })).toMatchObject({ status: "settled" })
    expect((await budget.status(subject))[0]!.spent).toBe(0.6)
  })

  it("corrects from the stored entry alone, in another process, once", async () => {
    const at = world()
    const limits = [
      { scope: "user", limit: 5, per: "day", timeZone: "Asia/Tokyo" },
      { scope: { tag: "team" }, limit: { usd: 5, tokens: 99 } },
    ] as const
    const one = budgetOn(at, { limits })
    const options = {
      subject: { userId: "a@b.c", tags: { team: "ü" } },
      amount: { usd: 1, tokens: 9 },
      idempotencyKey: "call-1",
    }
    await (await reserved(one, options)).settle({ usd: 1, tokens: 9 })
    const other = budgetOn(at, { limits })
    const [entry] = (await other.usage.list()).entries
    expect(await other.correct({ entry: entry!, cost: { usd: 0.25 }, changes: { costSource: "provider" } })).toEqual({
      status: "corrected",
    })
    expect(await one.correct({ entry: entry!, cost: { usd: 0.25 } })).toEqual({ status: "unchanged" })
    const spent = (await one.status(options.subject)).map((each) => each.spent)
    expect(spent.sort((a, b) => a - b)).toEqual([0.25, 0.25, 9])
    expect((await one.usage.list()).entries).toMatchObject([
      { costNanoUsd: 0.25 * USD, costSource: "provider", revision: 1 },
    ])
    // Long after, the store has forgotten the key: the open windows are corrected, and nothing is charged twice.
    at.now += 2 * 3_600_000
    const [again] = (await one.usage.list()).entries
    expect(await other.correct({ entry: again!, cost: { usd: 0.5 } })).toEqual({ status: "adjusted" })
    expect(await other.correct({ entry: again!, cost: { usd: 0.5 } })).toEqual({ status: "adjusted" })
    expect((await one.status(options.subject)).map((each) => each.spent).sort((a, b) => a - b)).toEqual([0.5, 0.5, 9])
  })

  it("rejects corrections of entries without an attempt, and of attempts with another correction", async () => {
    const budget = budgetOn(world(), { limits: [{ scope: "user", limit: 5 }] })
    await (await reserved(budget, { subject, amount: 1 })).settle(1)
    const [entry] = (await budget.usage.list()).entries
    await budget.correct({ entry: entry!, cost: 0.5 })
    await expect(budget.correct({ entry: entry!, cost: 0.75 })).rejects.toBeInstanceOf(SettleMismatchError)
    await budget.correct({ entry: entry!, cost: 0.75, revision: 2 })
    expect((await budget.status(subject))[0]).toMatchObject({ spent: 0.75 })
    await budget.usage.recordDenial({ userId: "ada" })
    const [recorded] = (await budget.usage.list({ filter: { status: "denied" } })).entries
    await expect(budget.correct({ entry: recorded!, cost: 1 })).rejects.toMatchObject({ argument: "entry" })
    await expect(budget.correct({ entry: entry!, cost: {} })).rejects.toMatchObject({ argument: "cost" })
    await expect(budget.correct({ entry: entry!, cost: 1, revision: 0 })).rejects.toMatchObject({
      argument: "revision",
    })
  })
})

describe("idempotency keys", () => {
  it("give the same reservation for the same content, and a usage error for different content", async () => {
    const budget = budgetOn(world(), { limits: [{ scope: "user", limit: 1 }] })
    const first = await reserved(budget, { subject, amount: { usd: 1 }, idempotencyKey: "call-1" })
    const second = await reserved(budget, { subject, amount: { usd: 1 }, idempotencyKey: "call-1" })
    expect([first.replayed, second.replayed]).toEqual([false, true])
    await expect(budget.reserve({ subject, amount: { usd: 0.5 }, idempotencyKey: "call-1" })).rejects.toBeInstanceOf(
      IdempotencyKeyMismatchError,
    )
    await first.settle({ usd: 0 })
    await expect(budget.reserve({ subject, amount: { usd: 1 }, idempotencyKey: "call-1" })).rejects.toMatchObject({
      name: "ReservationResolvedError",
      state: "settled",
    })
  })

  it("are never sent twice concurrently", async () => {
    const at = world()
    let [running, most] = [0, 0]
    const store = at.store
    at.store = changedStore(store, {
      reserve: async (request) => {
        most = Math.max(most, ++running)
        await new Promise((resolve) => setTimeout(resolve, 1))
        running--
        return store.reserve(request)
      },
    })
    const budget = budgetOn(at, { limits: [{ scope: "total", limit: 1 }] })
    const all = await Promise.all(
      Array.from({ length: 5 }, () => budget.reserve({ amount: { usd: 1 }, idempotencyKey: "x" })),
    )
    expect(most).toBe(1)
    expect(all.map((one) => one.ok && one.reservation.replayed)).toEqual([false, true, true, true, true])
  })

  it("survive midnight: the retry finds the reservation of yesterday and settles it there", async () => {
    const at = world(Date.UTC(2026, 2, 2, 23, 59, 59))
    const budget = budgetOn(at, { limits: [{ scope: "user", limit: 1, per: "day" }] })
    await reserved(budget, { subject, amount: { usd: 1 }, idempotencyKey: "late" })
    at.now += 2_000
    await (await reserved(budget, { subject, amount: { usd: 1 }, idempotencyKey: "late" })).settle({ usd: 0.5 })
    expect((await budget.status(subject))[0]).toMatchObject({ spent: 0, reserved: 0 })
    const [entry] = (await budget.usage.list()).entries
    const day = Date.UTC(2026, 2, 2)
    expect(entry!.charges).toEqual({ [`u=ada|usd|${day.toString(36)}-${(day + 86_400_000).toString(36)}`]: 0.5 * USD })
  })
})

it("a release does not overtake a pending settle", async () => {
  const at = world()
  const budget = budgetOn(at, { limits: [{ scope: "user", limit: 1 }] })
  const reservation = await reserved(budget, { subject, amount: 1 })
  at.faults.push({ member: "settle", kind: "down" })
  expect(await reservation.settle({ usd: 0.5 })).toMatchObject({ status: "pending" })
  // The store is back, and would accept a release that arrives first.
  await expect(reservation.release()).rejects.toBeInstanceOf(SettleMismatchError)
  expect(await budget.flush()).toBe(true)
  expect(await budget.status(subject)).toMatchObject([{ spent: 0.5, reserved: 0 }])
  expect(at.warnings).toEqual([])
})

it("a settle with a usage error leaves the reservation to be released", async () => {
  const budget = budgetOn(world(), { limits: [{ scope: "user", limit: 1 }] })
  const reservation = await reserved(budget, { subject, amount: 1 })
  await expect(reservation.settle({ usd: -1 })).rejects.toMatchObject({ kind: "usage" })
  await expect(reservation.settle({ usd: 0.5 }, { attempt: 0 })).rejects.toMatchObject({ kind: "usage" })
  expect(await reservation.release()).toMatchObject({ status: "released", replayed: false })
  expect(await reservation.release()).toMatchObject({ status: "released", replayed: true })
  expect(await budget.status(subject)).toMatchObject([{ spent: 0, reserved: 0 }])
})
