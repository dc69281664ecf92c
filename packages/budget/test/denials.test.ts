import { afterEach, describe, expect, it, vi } from "vitest"
import { BudgetExceededError, createBudget, type Limit, memoryStore } from "../src"
import { budgetOn, changedStore, denied, NOON, reserved, USD, world } from "./budget-world"

const MINUTE = 60_000
const limits = [{ scope: "user", limit: 1, per: "day" }] as const
const subject = { userId: "ada" }

afterEach(() => {
  vi.useRealTimers()
})

describe("the message of a denial agrees with its fields", () => {
  const messageOf = async (limit: Limit, spent: number | object, requested: number | object, topUp?: number) => {
    const budget = budgetOn(world(), { limits: [limit] })
    const whole = { userId: "ada", tags: { team: "search" } }
    const amount = (value: number | object) => value as never
    if (spent !== 0) await (await reserved(budget, { subject: whole, amount: amount(spent) })).settle(amount(spent))
    if (topUp !== undefined) await budget.topUp({ scope: limit.scope, subject: whole, amount: topUp })
    const error = await denied(budget, { subject: whole, amount: amount(requested) })
    return [error.message, error.retryAfterMs]
  }

  it("when the window resets", async () => {
    expect(await messageOf({ scope: "user", limit: 1, per: "day", timeZone: "Europe/Paris" }, 0.65, 0.5)).toEqual([
      "Budget exceeded (user, day): requested $0.50, remaining $0.35 of $1.00. Resets 2026-03-03T00:00+01:00.",
      11 * 3_600_000,
    ])
    expect(
      await messageOf({ scope: { tag: "team" }, limit: { tokens: 10 }, per: "90m" }, { tokens: 9 }, { tokens: 2 }),
    ).toEqual([
      'Budget exceeded (tag "team", 90m): requested 2 tokens, remaining 1 token of 10 tokens. Resets 2026-03-02T13:30Z.',
      90 * MINUTE,
    ])
  })

  it("when waiting does not help", async () => {
    expect(await messageOf({ scope: "total", limit: 1 }, 0.65, 0.5)).toEqual([
      "Budget exceeded (total, total): requested $0.50, remaining $0.35 of $1.00. Waiting does not help: top up or raise the limit.",
      null,
    ])
    expect(await messageOf({ scope: "user", limit: 1, per: "day" }, 0, 2)).toEqual([
      "Budget exceeded (user, day): requested $2.00, remaining $1.00 of $1.00. The amount is larger than the limit: lower the amount, top up or raise the limit.",
      null,
    ])
    // The next window has no top-up.
    expect(await messageOf({ scope: "user", limit: 1, per: "day" }, 0.5, 2.75, 2)).toEqual([
      "Budget exceeded (user, day): requested $2.75, remaining $2.50 of $1.00 plus $2.00 topped up. The amount is larger than the limit: lower the amount, top up or raise the limit.",
      null,
    ])
  })

  it("when other calls have reserved the remaining amount, and when several limits deny", async () => {
    const both = [...limits, { scope: "total", limit: { requests: 1 } }] as const
    const budget = budgetOn(world(), { limits: both })
    await reserved(budget, { subject, amount: 0.75 })
    const error = await denied(budget, { subject, amount: 0.5 })
    expect(error).toMatchObject({ scope: "user", reserved: 0.75, requested: 0.5, remaining: 0.25, retryAfterMs: 1_000 })
    expect(error.all).toHaveLength(2)
    expect(error.message).toBe(
      "Budget exceeded (user, day): requested $0.50, remaining $0.25 of $1.00. $0.75 is reserved by other calls: retry when they end. Resets 2026-03-03T00:00Z. 1 more limit denies it.",
    )
  })

  it("in dollars, and exactly in nano-USD", async () => {
    const budget = budgetOn(world(), { limits })
    await reserved(budget, { subject, amount: { nanoUsd: 1 } })
    const error = await denied(budget, { subject, amount: 1 })
    expect(error).toMatchObject({
      ...{ unit: "usd", limit: 1, reserved: 1e-9, requested: 1, remaining: 0.999999999, granted: 0, spent: 0 },
      ...{ limitNanoUsd: USD, reservedNanoUsd: 1, requestedNanoUsd: USD, remainingNanoUsd: USD - 1 },
      ...{ grantedNanoUsd: 0, spentNanoUsd: 0, dueLeases: false },
    })
    expect(BudgetExceededError.isInstance(error)).toBe(true)
    expect(JSON.stringify(error)).not.toContain("ada")
  })
})

describe("denials in the ledger", () => {
  const entriesOf = async (budget: ReturnType<typeof budgetOn>) =>
    (await budget.usage.list({ filter: { status: "denied" } })).entries

  it("are one entry per subject and minute, with a count and without money", async () => {
    const at = world(Math.floor(NOON / MINUTE) * MINUTE)
    const budget = budgetOn(at, { limits })
    for (let index = 0; index < 5; index++)
      await denied(budget, { subject: { ...subject, requestId: `r${index}` }, amount: 2, entry: { mode: "text" } })
    await denied(budget, { subject: { userId: "bob" }, amount: 2 })
    expect((await entriesOf(budget)).map(({ userId, count }) => [userId, count ?? 1]).sort()).toEqual([
      ["ada", 1],
      ["bob", 1],
    ])
    expect(await budget.flush()).toBe(true)
    const entries = await entriesOf(budget)
    expect(entries.find(({ userId }) => userId === "ada")).toMatchObject({
      ...{ status: "denied", count: 5, requestId: "r0", mode: "text", errorCode: "budget-exceeded" },
      ...{ reservedNanoUsd: 0, costNanoUsd: 0, costSource: "none", state: "recorded", charges: {} },
    })
    expect(await budget.usage.totals()).toMatchObject([{ denied: 6, attempts: 6, requests: 6, costNanoUsd: 0 }])
    at.now += MINUTE
    await denied(budget, { subject, amount: 2 })
    expect(await entriesOf(budget)).toHaveLength(3)
  })

  it("are counted once by each process, and written when the minute is over", async () => {
    vi.useFakeTimers()
    vi.setSystemTime(Math.floor(NOON / MINUTE) * MINUTE)
    const at = world(Date.now())
    const budgets = [1, 2].map(() => budgetOn(at, { limits }))
    for (const budget of [...budgets, ...budgets, ...budgets]) await denied(budget, { subject, amount: 2 })
    const counts = async () => (await entriesOf(budgets[0]!)).map(({ count }) => count ?? 1)
    expect(await counts()).toEqual([1, 1])
    await vi.advanceTimersByTimeAsync(MINUTE - 1)
    expect(await counts()).toEqual([1, 1])
    await vi.advanceTimersByTimeAsync(1)
    expect(await counts()).toEqual([3, 3])
    expect(vi.getTimerCount()).toBe(0)
  })

  it("are written by close, and by the next minute's first denial", async () => {
    const at = world(Math.floor(NOON / MINUTE) * MINUTE)
    const budget = budgetOn(at, { limits })
    for (let index = 0; index < 3; index++) await denied(budget, { subject, amount: 2 })
    at.now += MINUTE
    await denied(budget, { subject, amount: 2 })
    await denied(budget, { subject, amount: 2 })
    await budget.close({ keepStore: true })
    const later = budgetOn(at, { limits })
    expect((await entriesOf(later)).map(({ count }) => count)).toEqual([3, 2])
  })

  it("are not recorded with `recordDenial: false`; the caller can record them in the same way", async () => {
    const budget = budgetOn(world(), { limits })
    const call = vi.fn()
    expect(await budget.run({ subject, amount: 2, recordDenial: false }, call)).toMatchObject({ ok: false })
    expect(call).not.toHaveBeenCalled()
    expect(await entriesOf(budget)).toEqual([])
    const entry = { userId: "ada", requestId: "r", model: "m", errorCode: "context-exceeded" }
    for (let index = 0; index < 3; index++) expect(await budget.usage.recordDenial(entry)).toBe(true)
    await budget.flush()
    expect(await entriesOf(budget)).toMatchObject([{ ...entry, count: 3, costNanoUsd: 0, attempt: 1 }])
  })

  it("that cannot be written are still denials, with a warning", async () => {
    const at = world()
    const { ledger } = at.store
    const record = async () => Promise.reject(new Error("disk full"))
    const broken = { ...at, store: changedStore(at.store, { ledger: { ...ledger!, record } as never }) }
    const budget = budgetOn(broken, { limits })
    await denied(budget, { subject, amount: 2 })
    await budget.flush()
    expect(at.warnings).toEqual([expect.stringContaining("denial could not be recorded")])
  })

  it("are not recorded without a ledger", async () => {
    const budget = createBudget({ store: memoryStore({ maxEntries: 0 }), limits })
    await denied(budget, { subject, amount: 2 })
    expect(await budget.usage.recordDenial({ userId: "ada" })).toBe(false)
    expect(await budget.flush()).toBe(true)
  })
})
