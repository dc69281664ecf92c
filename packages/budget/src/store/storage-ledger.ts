import type { StoredEntry, UsageFilter } from "../usage/entry"
import type { UsageLedger } from "../usage/ledger"
import { matchesFilter, type ScanOptions, scannedLedger } from "../usage/query"
import { nextTurn } from "./batch-queue"
import type { Name } from "./budget-store"
import { parseRecord } from "./record-view"
import type { Storage } from "./storage"

/** How many entries to read in one turn of the event loop, if the scan of the storage does not wait. */
const ENTRIES_PER_TURN = 1_000

/** The usage ledger on a storage; `record` writes an entry in a transaction. */
export function storageLedger(storage: Storage, record: UsageLedger["record"]): UsageLedger {
  async function* scan(partition: Name, filter: UsageFilter, options: ScanOptions): AsyncGenerator<StoredEntry> {
    let scanned = 0
    await nextTurn()
    for await (const text of storage.scan(partition, { filter, ...options })) {
      if (++scanned % ENTRIES_PER_TURN === 0) await nextTurn()
      const entry = parseRecord("entry", "(scan)", text)
      if (matchesFilter(entry, filter)) yield entry
    }
  }

  const queries = scannedLedger(scan)
  return {
    ...queries,
    record,
    async totals(request) {
      if (storage.totals === undefined) return queries.totals(request)
      const { partition, filter, groupBy, buckets } = request
      await nextTurn()
      return storage.totals(partition, { filter, groupBy, buckets })
    },
    async prune({ partition, before }) {
      await nextTurn()
      return { removed: await storage.prune(partition, before) }
    },
  }
}
