import type { BudgetStore, CellState, StoredEntry, UsageTotals } from "@p2/budget"
import type { FaultyStores } from "./faulty-store"

export interface CellOfRoot extends CellState {
  root: string
}

/** All usage entries of each root. */
export async function readEntries(
  store: BudgetStore,
  roots: readonly string[],
): Promise<Map<string, readonly StoredEntry[]>> {
  const entries = new Map<string, readonly StoredEntry[]>()
  for (const root of roots) {
    const page = await store.ledger!.list({ root, filter: {}, limit: 1_000 })
    if (page.cursor !== null) throw new Error("There are more entries than one page holds.")
    entries.set(root, page.entries)
  }
  return entries
}

/** The totals of each root, by user and model. */
export async function readTotals(store: BudgetStore, roots: readonly string[]): Promise<Map<string, UsageTotals[]>> {
  const totals = new Map<string, UsageTotals[]>()
  for (const root of roots)
    totals.set(root, await store.ledger!.totals({ root, filter: {}, groupBy: ["userId", "model"] }))
  return totals
}

/** The present state of every cell that an entry charges or a reserve names. */
export async function readCells(
  store: BudgetStore,
  roots: readonly string[],
  reserves: FaultyStores["reserves"],
): Promise<CellOfRoot[]> {
  const states: CellOfRoot[] = []
  for (const [root, entries] of await readEntries(store, roots)) {
    const ofRoot = reserves.filter(({ request }) => request.root === root)
    const keys = new Set([
      ...entries.flatMap(({ charges }) => Object.keys(charges)),
      ...ofRoot.flatMap(({ request }) => request.cells.map(({ key }) => key)),
    ])
    const { cells } = await store.read({ root, keys: [...keys] })
    states.push(...cells.map((cell) => ({ ...cell, root })))
  }
  return states
}
