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

/** What another process has: a connection and a budget of its own on the same file. */
function processOn(path: string, clock: { now: number }, options: Partial<BudgetOptions> = {}): Budget {
  const store = sqliteStore(path, { now: () => clock.now })
  const budget = createBudget({ store, limits, storeTimeoutMs: 30_000, onWarning: () => {}, ...options })
  open.push(budget)
  return budget
}

function newPath(): string {
  return join(folder, `p2-${files++}.db`)
}

async function held(budget: Budget, options: ReserveOptions): Promise<Reservation> {
  const outcome = await budget.reserve(options)
  if (!outcome.ok) throw outcome.error
  return outcome.reservation
}

/** For every cell: spent, and the sum of what the entries say they were charged there. */
async function sums(budget: Budget): Promise<{ cells: Record<string, number>; ledger: Record<string, number> }> {
  const ledger: Record<string, number> = {}
  for (const { charges } of (await budget.usage.list()).entries)
    for (const [key, charge] of Object.entries(charges)) ledger[key] = (ledger[key] ?? 0) + charge
  const keys = Object.keys(ledger)
  const { cells } = await budget.store.read({ root: budget.rootOf(), keys })
  return { cells: Object.fromEntries(cells.map(({ key, spent }) => [key, spent])), ledger }
}

it("corrects an attempt from its stored entry in a later process, and cells and ledger still agree", async () => {
  const [path, clock] = [newPath(), { now: Date.UTC(2026, 2, 2, 12) }]
  const first = processOn(path, clock)
  await (await held(first, { subject, amount: { usd: 1, tokens: 9 }, id: "call-1" })).settle({ usd: 1, tokens: 9 })
  await (await held(first, { subject, amount: { usd: 1, tokens: 9 }, id: "call-2" })).settle({ usd: 0.5, tokens: 4 })
  await first.close()

  const second = processOn(path, clock)
  const [entry] = await second.usage.get("call-1")
  expect(entry!.fingerprint).toMatch(/^[\w-]{22}(\.[a-z0-9]*){3}$/)
  const truth = { entry: entry!, cost: { usd: 0.25 }, changes: { costSource: "provider" } } as const
  expect(await second.correct(truth)).toEqual({ status: "corrected" })
  await second.close()

  const third = processOn(path, clock)
  expect(await third.correct(truth)).toEqual({ status: "unchanged" })
  const [corrected] = await third.usage.get("call-1")
  expect(corrected).toMatchObject({ costNanoUsd: 0.25 * USD, costSource: "provider", revision: 1 })
  expect(corrected!.fingerprint).toBe(entry!.fingerprint)
  const { cells, ledger } = await sums(third)
  expect(cells).toEqual(ledger)
  expect(Object.values(cells).sort((a, b) => a - b)).toEqual([13, 0.75 * USD, 0.75 * USD])
  const [total] = await third.usage.totals()
  expect(total).toMatchObject({ attempts: 2, costNanoUsd: 0.75 * USD })
  // Corrected once more, from the entry as it now stands.
  expect(await third.correct({ entry: corrected!, cost: { usd: 2, tokens: 20 } })).toEqual({ status: "corrected" })
  const after = await sums(third)
  expect(after.cells).toEqual(after.ledger)
  expect(Object.values(after.cells).sort((a, b) => a - b)).toEqual([24, 2.5 * USD, 2.5 * USD])
})

it("settles a retry after midnight in the day of its reservation", async () => {
  const [path, clock] = [newPath(), { now: Date.UTC(2026, 2, 2, 14, 59, 59) }]
  const budget = processOn(path, clock)
  const options = { subject, amount: { usd: 1, tokens: 9 }, id: "late" }
  await held(budget, options)
  clock.now += 2_000
  const retry = await held(processOn(path, clock), options)
  expect(retry.replayed).toBe(true)
  expect(await retry.settle({ usd: 0.5, tokens: 3 })).toMatchObject({ status: "settled", replayed: false })
  expect(await retry.settle({ usd: 0.5, tokens: 3 })).toMatchObject({ status: "settled", replayed: true })
  const [today, team] = await budget.status(subject)
  expect(today).toMatchObject({ scope: "user", spent: 0, reserved: 0 })
  expect(team).toMatchObject({ spent: 0.5 * USD, reserved: 0 })
  const { cells, ledger } = await sums(budget)
  expect(cells).toEqual(ledger)
  const yesterday = Object.keys(cells).filter((key) => key.includes("day."))
  expect(yesterday).toEqual([expect.stringContaining(String(Date.UTC(2026, 2, 1, 15)))])
  // A second truth by the same names goes to the same day.
  expect(await retry.settle({ usd: 0.75, tokens: 3 }, undefined, { revision: 1 })).toMatchObject({ replayed: false })
  const after = await sums(budget)
  expect(after.cells).toEqual(after.ledger)
  expect(after.cells[yesterday[0]!]).toBe(0.75 * USD)
})

it("tells the cost of an attempt that ran out as it was charged, not as it was reserved", async () => {
  const [path, clock] = [newPath(), { now: Date.UTC(2026, 2, 2, 12) }]
  const budget = processOn(path, clock)
  const amount = { usd: 1, tokens: 9 }
  await held(budget, { subject, amount, id: "charge" })
  await held(budget, { subject, amount, id: "floor", onExpire: "floor", floor: { usd: 0.25, tokens: 2 } })
  await held(budget, { subject, amount, id: "release", onExpire: "release" })
  await budget.close()
  clock.now += HOUR / 2
  const later = processOn(path, clock)
  expect(await later.sweep()).toEqual({ expired: 3, more: false })
  const { entries } = await later.usage.list()
  const told = Object.fromEntries(entries.map((one) => [one.id, [one.status, one.costNanoUsd, one.costSource]]))
  expect(told).toEqual({
    charge: ["expired", USD, "bound"],
    floor: ["expired", 0.25 * USD, "bound"],
    release: ["expired", 0, "none"],
  })
  expect(entries.every((entry) => !("expireCostNanoUsd" in entry))).toBe(true)
  const [total] = await later.usage.totals()
  const [user] = await later.status(subject)
  expect([total!.costNanoUsd, total!.failedCostNanoUsd]).toEqual([user!.spent, user!.spent])
})
