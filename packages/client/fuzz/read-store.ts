import type { BudgetStore, CellState, StoredEntry, UsageTotals } from "@p2/budget"
import type { TroubledStores } from "./troubled-store"

export interface RootedCell extends CellState {
  root: string
}

/** All entries of each root. */
export async function readEntries(
  store: BudgetStore,
  roots: readonly string[],
): Promise<Map<string, readonly StoredEntry[]>> {
  const entries = new Map<string, readonly StoredEntry[]>()
  for (const root of roots) {
    const page = await store.ledger!.list({ root, filter: {}, limit: 1_000 })
    if (page.cursor !== null) throw new Error("More entries than a page holds.")
    entries.set(root, page.entries)
  }
  return entries
}

/** What the store itself sums up of each root, by user and model. */
export async function readTotals(store: BudgetStore, roots: readonly string[]): Promise<Map<string, UsageTotals[]>> {
  const totals = new Map<string, UsageTotals[]>()
  for (const root of roots)
    totals.set(root, await store.ledger!.totals({ root, filter: {}, groupBy: ["userId", "model"] }))
  return totals
}

/** Every cell that an entry charges or a request asked for, as it stands. */
export async function readCells(
  store: BudgetStore,
  roots: readonly string[],
  reserves: TroubledStores["reserves"],
): Promise<RootedCell[]> {
  const found: RootedCell[] = []
  for (const [root, entries] of await readEntries(store, roots)) {
    const asked = reserves.filter(({ request }) => request.root === root)
    const keys = new Set([
      ...entries.flatMap(({ charges }) => Object.keys(charges)),
      ...asked.flatMap(({ request }) => request.cells.map(({ key }) => key)),
    ])
    const { cells } = await store.read({ root, keys: [...keys] })
    found.push(...cells.map((cell) => ({ ...cell, root })))
  }
  return found
}
