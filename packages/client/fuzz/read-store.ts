import type { StoredEntry, UsageTotals } from "@p2/budget"
import type { BudgetStore, CounterState } from "@p2/budget/store"
import type { FaultyStores } from "./faulty-store"

export interface PartitionCounter extends CounterState {
  partition: string
}

/** All usage entries by partition. */
export async function readEntries(
  store: BudgetStore,
  partitions: readonly string[],
): Promise<Map<string, readonly StoredEntry[]>> {
  const entries = new Map<string, readonly StoredEntry[]>()
  for (const partition of partitions) {
    const request = { partition, filter: {}, cursor: null, limit: 1_000, newestFirst: false }
    const page = await store.ledger!.list(request)
    if (page.cursor !== null) throw new Error("There are more entries than one page holds.")
    entries.set(partition, page.entries)
  }
  return entries
}

/** The totals by partition, grouped by user and model. */
export async function readTotals(
  store: BudgetStore,
  partitions: readonly string[],
): Promise<Map<string, UsageTotals[]>> {
  const totals = new Map<string, UsageTotals[]>()
  for (const partition of partitions) {
    const groupBy = ["userId" as const, "model" as const]
    totals.set(partition, await store.ledger!.totals({ partition, filter: {}, groupBy, buckets: null }))
  }
  return totals
}

/** The current state of every counter in an entry or a reserve. */
export async function readCounters(
  store: BudgetStore,
  partitions: readonly string[],
  reserves: FaultyStores["reserves"],
): Promise<PartitionCounter[]> {
  const states: PartitionCounter[] = []
  for (const [partition, entries] of await readEntries(store, partitions)) {
    const requests = reserves.filter(({ request }) => request.partition === partition)
    const names = new Set([
      ...entries.flatMap(({ charges }) => Object.keys(charges)),
      ...requests.flatMap(({ request }) => request.counters.map(({ name }) => name)),
    ])
    const { counters } = await store.read({ partition, counters: [...names] })
    states.push(...counters.map((counter) => ({ ...counter, partition })))
  }
  return states
}
