import { expect } from "vitest"
import type { StoredEntry } from "../../src/ledger"
import type { BudgetStore } from "../../src/store"
import { LONGEST_LEASE_MS, ROOTS } from "./operate"

/** An adjustment that was applied to what a cell has spent. */
export interface AppliedAdjustment {
  root: string
  key: string
  applied: number
}

/** Ends every lease, by the store's own time. */
async function endLeases(store: BudgetStore, root: string): Promise<void> {
  const { now } = await store.read({ root, keys: [] })
  await expect
    .poll(
      async () => {
        while ((await store.sweep({ root, max: 1_000 })).more);
        return (await store.read({ root, keys: [] })).now
      },
      { timeout: 60_000, interval: 200 },
    )
    .toBeGreaterThan(now + LONGEST_LEASE_MS)
}

async function entriesOf(store: BudgetStore, root: string): Promise<StoredEntry[]> {
  const entries: StoredEntry[] = []
  let cursor: string | undefined
  do {
    const page = await store.ledger!.list({ root, filter: {}, cursor, limit: 1_000 })
    expect(page.dropped).toBe(0)
    entries.push(...page.entries)
    cursor = page.cursor ?? undefined
  } while (cursor !== undefined)
  return entries
}

/** After every lease has ended: each cell is the sum of its entries and adjustments, and what was answered is there. */
export async function expectSums(
  store: BudgetStore,
  commits: ReadonlyMap<string, number>,
  adjustments: () => Promise<readonly AppliedAdjustment[]>,
): Promise<{ cells: number; entries: number; adjustments: number }> {
  await Promise.all(ROOTS.map((root) => endLeases(store, root)))
  const applied = await adjustments()
  const seen = { cells: 0, entries: 0, adjustments: applied.length }
  const unseen = new Map(commits)
  for (const root of ROOTS) {
    const sums = new Map<string, bigint>()
    const add = (key: string, amount: number) => sums.set(key, (sums.get(key) ?? 0n) + BigInt(amount))
    let cost = 0n
    for (const entry of await entriesOf(store, root)) {
      seen.entries++
      cost += BigInt(entry.costNanoUsd)
      for (const [key, charge] of Object.entries(entry.charges)) add(key, charge)
      const answered = unseen.get(entry.id)
      if (answered === undefined) continue
      expect([entry.id, entry.status, entry.costNanoUsd]).toEqual([entry.id, "succeeded", answered])
      unseen.delete(entry.id)
    }
    for (const one of applied) if (one.root === root) add(one.key, one.applied)
    const keys = [...sums.keys()]
    for (let from = 0; from < keys.length; from += 500) {
      const { cells } = await store.read({ root, keys: keys.slice(from, from + 500) })
      for (const { key, spent, reserved } of cells)
        expect([root, key, BigInt(spent), reserved]).toEqual([root, key, sums.get(key), 0])
    }
    seen.cells += keys.length
    const [all] = await store.ledger!.totals({ root, filter: {}, groupBy: [] })
    expect(BigInt(all!.costNanoUsd)).toBe(cost)
  }
  expect([...unseen]).toEqual([])
  return seen
}
