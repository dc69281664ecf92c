import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Budget, type BudgetOptions, createBudget, type Reservation, type ReserveOptions } from "@p2/budget"
import { sqliteStore } from "@p2/budget-sqlite"
import { afterAll, afterEach, expect, it } from "vitest"

const USD = 1_000_000_000
const HOUR = 3_600_000
const limits: BudgetOptions["limits"] = [
  { scope: "user", limit: 5, per: "day", timeZone: "Asia/Tokyo" },
  { scope: { tag: "team" }, limit: { usd: 5, tokens: 99 } },
]
const subject = { userId: "a@b.c", tags: { team: "ü" } }

const folder = mkdtempSync(join(tmpdir(), "p2-sqlite-budget-"))
let files = 0
const open: Budget[] = []
afterEach(async () => {
  for (const budget of open.splice(0)) await budget.close()
})
afterAll(() => rmSync(folder, { recursive: true }))

/** What another process has: its own connection and budget on the same file. */
function processOn(path: string, clock: { now: number }, options: Partial<BudgetOptions> = {}): Budget {
  const store = sqliteStore(path, { now: () => clock.now, timeoutMs: 30_000 })
  const budget = createBudget({ store, limits, onWarning: () => {}, ...options })
  open.push(budget)
  return budget
}

function newPath(): string {
  return join(folder, `p2-${files++}.db`)
}

async function reserve(budget: Budget, options: ReserveOptions): Promise<Reservation> {
  const outcome = await budget.reserve(options)
  if (!outcome.ok) throw outcome.error
  return outcome.reservation
}

/** For every counter: spent, and the sum of the charges of its entries. */
async function sums(budget: Budget): Promise<{ spent: Record<string, number>; charged: Record<string, number> }> {
  const charged: Record<string, number> = {}
  for (const { charges } of (await budget.usage.list()).entries)
    for (const [name, charge] of Object.entries(charges)) charged[name] = (charged[name] ?? 0) + charge
  const { counters } = await budget.store.read({ partition: budget.partitionOf(), counters: Object.keys(charged) })
  return { spent: Object.fromEntries(counters.map(({ name, spent }) => [name, spent])), charged }
}

it("corrects an attempt from its stored entry in a later process, and counters and ledger still agree", async () => {
  const [path, clock] = [newPath(), { now: Date.UTC(2026, 2, 2, 12) }]
  const first = processOn(path, clock)
  await (await reserve(first, { subject, amount: { usd: 1, tokens: 9 }, idempotencyKey: "call-1" })).settle({
    usd: 1,
    tokens: 9,
  })
  await (await reserve(first, { subject, amount: { usd: 1, tokens: 9 }, idempotencyKey: "call-2" })).settle({
    usd: 0.5,
    tokens: 4,
  })
  await first.close()

  const second = processOn(path, clock)
  const [entry] = await second.usage.get("call-1")
  expect(entry!.fingerprint).toMatch(/^[\x20-\x7e]{1,64}$/)
  const correction = { entry: entry!, cost: { usd: 0.25 }, changes: { costSource: "provider" } } as const
  expect(await second.correct(correction)).toEqual({ status: "corrected" })
  await second.close()

  const third = processOn(path, clock)
  expect(await third.correct(correction)).toEqual({ status: "unchanged" })
  const [corrected] = await third.usage.get("call-1")
  expect(corrected).toMatchObject({ costNanoUsd: 0.25 * USD, costSource: "provider", revision: 1 })
  expect(corrected!.fingerprint).toBe(entry!.fingerprint)
  const { spent, charged } = await sums(third)
  expect(spent).toEqual(charged)
  expect(Object.values(spent).sort((a, b) => a - b)).toEqual([13, 0.75 * USD, 0.75 * USD])
  const [total] = await third.usage.totals()
  expect(total).toMatchObject({ attempts: 2, costNanoUsd: 0.75 * USD })
  // Corrected once more, from the current entry.
  expect(await third.correct({ entry: corrected!, cost: { usd: 2, tokens: 20 } })).toEqual({ status: "corrected" })
  const after = await sums(third)
  expect(after.spent).toEqual(after.charged)
  expect(Object.values(after.spent).sort((a, b) => a - b)).toEqual([24, 2.5 * USD, 2.5 * USD])
})

it("settles a retry after midnight in the day of its reservation", async () => {
  const [path, clock] = [newPath(), { now: Date.UTC(2026, 2, 2, 14, 59, 59) }]
  const budget = processOn(path, clock)
  const options = { subject, amount: { usd: 1, tokens: 9 }, idempotencyKey: "late" }
  await reserve(budget, options)
  clock.now += 2_000
  const retry = await reserve(processOn(path, clock), options)
  expect(retry.replayed).toBe(true)
  expect(await retry.settle({ usd: 0.5, tokens: 3 })).toMatchObject({ status: "settled", replayed: false })
  expect(await retry.settle({ usd: 0.5, tokens: 3 })).toMatchObject({ status: "settled", replayed: true })
  const [today, team] = await budget.status(subject)
  expect(today).toMatchObject({ scope: "user", spent: 0, reserved: 0 })
  expect(team).toMatchObject({ spent: 0.5, spentNanoUsd: 0.5 * USD, reserved: 0 })
  const { spent, charged } = await sums(budget)
  expect(spent).toEqual(charged)
  const yesterday = Object.keys(spent).filter((name) => name.includes(Date.UTC(2026, 2, 1, 15).toString(36)))
  expect(yesterday).toHaveLength(1)
  // A second settle with the same counter names is charged to the same day.
  expect(await retry.settle({ usd: 0.75, tokens: 3 }, undefined, { revision: 1 })).toMatchObject({ replayed: false })
  const after = await sums(budget)
  expect(after.spent).toEqual(after.charged)
  expect(after.spent[yesterday[0]!]).toBe(0.75 * USD)
})

it("an expired attempt has the charged cost, not the reserved amount", async () => {
  const [path, clock] = [newPath(), { now: Date.UTC(2026, 2, 2, 12) }]
  const budget = processOn(path, clock)
  const amount = { usd: 1, tokens: 9 }
  await reserve(budget, { subject, amount, idempotencyKey: "charge" })
  await reserve(budget, { subject, amount, idempotencyKey: "amount", onExpire: { usd: 0.25, tokens: 2 } })
  await reserve(budget, { subject, amount, idempotencyKey: "release", onExpire: "release" })
  await budget.close()
  clock.now += HOUR / 2
  const later = processOn(path, clock)
  expect(await later.sweep()).toEqual({ expired: 3, more: false })
  const { entries } = await later.usage.list()
  const costs = entries.map((entry) => [entry.idempotencyKey, [entry.status, entry.costNanoUsd, entry.costSource]])
  expect(Object.fromEntries(costs)).toEqual({
    charge: ["expired", USD, "bound"],
    amount: ["expired", 0.25 * USD, "custom"],
    release: ["expired", 0, "none"],
  })
  const [total] = await later.usage.totals()
  const [user] = await later.status(subject)
  expect([total!.costNanoUsd, total!.failedCostNanoUsd]).toEqual([user!.spentNanoUsd, user!.spentNanoUsd])
})
