import { describe, expect, it } from "vitest"
import { createBudget, memoryStore } from "../src"
import { budgetOn, changedStore, denied, NOON, reserved, world } from "./budget-world"

const DAY = 86_400_000
const limits = [{ scope: "user", limit: 1, per: "day" }] as const
const subject = { userId: "ada" }

describe("a clock that was wrong", () => {
  it("reopens no spent window when it jumps ahead and back, and check reports it", async () => {
    const at = world()
    const budget = budgetOn(at, { limits })
    await (await reserved(budget, { subject, amount: 1 })).settle(1)
    at.now += 2 * DAY
    await (await reserved(budget, { subject, amount: 1 })).settle(0.75)
    at.now = NOON
    // All callers use the later window until the clock catches up.
    expect(await denied(budget, { subject, amount: 0.5 })).toMatchObject({ spent: 0.75, resetsAt: NOON + 2.5 * DAY })
    const check = await budget.check()
    expect(check).toMatchObject({ ok: true, clockBehindMs: 2 * DAY })
    expect(check.warnings.join()).toMatch(/clock/)
    expect(at.warnings).toEqual(check.warnings)
  })

  it("is accepted by an operator: windows follow the present clock again, and the ledger records it", async () => {
    const at = world()
    const budget = budgetOn(at, { limits })
    at.now += 2 * DAY
    await (await reserved(budget, { subject, amount: 1 })).settle(1)
    at.now = NOON
    expect(await budget.acceptClock()).toEqual({ now: NOON, before: NOON + 2 * DAY })
    expect(await budget.check()).toMatchObject({ clockBehindMs: 0 })
    await reserved(budget, { subject, amount: 1 })
    const { entries } = await budget.usage.list({ filter: { status: "audit" } })
    expect(entries).toMatchObject([
      { mode: "accept-clock", tags: { before: `${NOON + 2 * DAY}`, now: `${NOON}` }, costNanoUsd: 0, charges: {} },
    ])
    // No attempt: not in totals.
    expect(await budget.usage.totals()).toMatchObject([{ attempts: 1 }])
  })

  it("of one partition changes nothing in another", async () => {
    const at = world()
    const budget = budgetOn(at, { limits, partition: ({ tags }) => tags?.tenant ?? "main" })
    const other = { ...subject, tags: { tenant: "b" } }
    at.now += 2 * DAY
    await reserved(budget, { subject, amount: 0.1 })
    at.now = NOON
    const [here] = (await reserved(budget, { subject, amount: 0.1 })).limits
    const [there] = (await reserved(budget, { subject: other, amount: 0.1 })).limits
    expect([here!.startsAt, there!.startsAt]).toEqual([NOON + 1.5 * DAY, NOON - 0.5 * DAY])
    at.calls.length = 0
    // This process now knows each partition's time, so each reserve takes one call.
    await reserved(budget, { subject, amount: 0.1 })
    await reserved(budget, { subject: other, amount: 0.1 })
    expect(at.calls).toEqual(["reserve", "reserve"])
  })
})

describe("the first check of the store", () => {
  it("is made once, forwards its warnings, and is repeated while the store is misconfigured", async () => {
    const at = world()
    let [checks, ok] = [0, false]
    const check = async () => {
      checks++
      return { ok, durability: "process" as const, warnings: ["appendonly is off."] }
    }
    const budget = budgetOn({ ...at, store: changedStore(at.store, { check }) }, { limits })
    await expect(budget.reserve({ subject, amount: 1 })).rejects.toMatchObject({
      code: "store-misconfigured",
      message: 'The store "memory" is misconfigured: appendonly is off.',
    })
    expect([checks, at.warnings]).toEqual([1, []])
    ok = true
    await reserved(budget, { subject, amount: 0.5 })
    await reserved(budget, { subject, amount: 0.5 })
    await budget.status(subject)
    expect([checks, at.warnings]).toEqual([2, ["appendonly is off."]])
    expect(await budget.check()).toMatchObject({ durability: "process" })
  })
})

it("limits with the same window written two ways share a counter, and the smaller one decides", async () => {
  const budget = createBudget({
    store: memoryStore({ now: () => NOON }),
    limits: [
      { scope: "user", limit: 5, per: "1d" },
      { scope: "user", limit: 1, per: "day", timeZone: "Etc/UTC" },
      { scope: "user", limit: 9, per: "24h" },
    ],
  })
  const reservation = await reserved(budget, { subject, amount: 1 })
  expect(reservation.limits).toMatchObject([{ limit: 1, window: "day", reserved: 1 }])
  await denied(budget, { subject, amount: 0.01 })
  expect((await budget.status(subject)).map(({ limit, reserved }) => [limit, reserved])).toEqual([
    [5, 1],
    [1, 1],
    [9, 1],
  ])
})
