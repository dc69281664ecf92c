import { expect } from "vitest"
import type { BudgetStore } from "../../src/store/budget-store"
import type { StoredEntry } from "../../src/usage/entry"
import { type AppliedAdjustment, LONGEST_LEASE_MS, PARTITIONS } from "./operate"
import type { SoakJournal } from "./run-processes"

/** Expires every lease, by the store's own time. */
async function expireLeases(store: BudgetStore, partition: string): Promise<void> {
  const { now: start } = await store.read({ partition, counters: [] })
  const sweep = async (): Promise<number> => {
    for (;;) {
      const { now, due } = await store.listDue({ partition, limit: 64 })
      if (due.length === 0) return now
      for (const { key, counters } of due) await store.expire({ partition, key, counters })
    }
  }
  await expect.poll(sweep, { timeout: 60_000, interval: 200 }).toBeGreaterThan(start + LONGEST_LEASE_MS)
}

async function entriesOf(store: BudgetStore, partition: string): Promise<StoredEntry[]> {
  const entries: StoredEntry[] = []
  let cursor: string | null = null
  do {
    const page = await store.ledger!.list({ partition, filter: {}, cursor, limit: 1_000, newestFirst: false })
    expect(page.dropped).toBe(0)
    entries.push(...page.entries)
    cursor = page.cursor
  } while (cursor !== null)
  return entries
}

async function countersOf(store: BudgetStore, partition: string): Promise<Map<string, [bigint, number]>> {
  const counters = new Map<string, [bigint, number]>()
  let cursor: string | null = null
  do {
    const page = await store.listCounters({ partition, cursor, limit: 500 })
    expect(page.damaged).toEqual([])
    for (const { name, spent, reserved } of page.counters) counters.set(name, [BigInt(spent), reserved])
    cursor = page.cursor
  } while (cursor !== null)
  return counters
}

/**
 * After every lease has ended: each counter is the sum of its entries and adjustments, nothing is reserved, and every
 * confirmed call is stored. `adjustmentsIn` resolves to the adjustments that the store applied, those of killed
 * processes included.
 */
export async function expectSums(
  store: BudgetStore,
  journal: SoakJournal,
  adjustmentsIn: () => Promise<readonly AppliedAdjustment[]>,
): Promise<{ counters: number; entries: number; adjustments: number }> {
  await Promise.all(PARTITIONS.map((partition) => expireLeases(store, partition)))
  const applied = await adjustmentsIn()
  const stored = new Set(applied.map(describe))
  expect(journal.adjustments.map(describe).filter((adjustment) => !stored.has(adjustment))).toEqual([])
  const seen = { counters: 0, entries: 0, adjustments: applied.length }
  const missing = new Map(journal.settles)
  for (const partition of PARTITIONS) {
    const sums = new Map<string, bigint>()
    const add = (counter: string, amount: number) => sums.set(counter, (sums.get(counter) ?? 0n) + BigInt(amount))
    let cost = 0n
    for (const entry of await entriesOf(store, partition)) {
      seen.entries++
      cost += BigInt(entry.costNanoUsd)
      for (const [counter, charge] of Object.entries(entry.charges)) add(counter, charge)
      const confirmed = missing.get(entry.idempotencyKey)
      if (confirmed === undefined) continue
      expect([entry.idempotencyKey, entry.state, entry.costNanoUsd]).toEqual([
        entry.idempotencyKey,
        "settled",
        confirmed,
      ])
      missing.delete(entry.idempotencyKey)
    }
    for (const one of applied) if (one.partition === partition) add(one.counter, one.applied)
    const counters = await countersOf(store, partition)
    for (const [counter, sum] of sums) expect([counter, ...(counters.get(counter) ?? [])]).toEqual([counter, sum, 0])
    // A counter without entries was only granted, or reserved and released.
    for (const [counter, [spent, reserved]] of counters)
      expect([counter, spent, reserved]).toEqual([counter, sums.get(counter) ?? 0n, 0])
    seen.counters += counters.size
    const totals = { partition, filter: {}, groupBy: [], buckets: null }
    const [all] = await store.ledger!.totals(totals)
    expect(BigInt(all!.costNanoUsd)).toBe(cost)
  }
  expect([...missing]).toEqual([])
  return seen
}

function describe({ partition, key, counter, applied }: AppliedAdjustment): string {
  return `${partition} ${key} ${counter} ${applied}`
}
