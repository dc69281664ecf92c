import type { StoredEntry, UsageFilter } from "../usage/entry"
import { addTotals } from "../usage/fold"
import type { UsageLedger } from "../usage/ledger"
import { matchesFilter, type ScanOptions, scannedLedger } from "../usage/query"
import { nextTurn } from "./batch-queue"
import type { Name } from "./budget-store"
import { parseRecord } from "./record-view"
import type { Position, Storage } from "./storage"

/** Entries that are read or deleted in one turn of the event loop. */
const PAGE = 1_000
const FIRST: Position = { at: -1, key: "" }
const LAST: Position = { at: Number.MAX_SAFE_INTEGER, key: "" }

/** The usage ledger on a storage; `record` writes an entry in a transaction. */
export function storageLedger(
  storage: Pick<Storage, "entries" | "prune" | "totals">,
  record: UsageLedger["record"],
): UsageLedger {
  async function* scan(partition: Name, filter: UsageFilter, options: ScanOptions): AsyncGenerator<StoredEntry> {
    const { newestFirst } = options
    let { after = newestFirst ? LAST : FIRST } = options
    for (;;) {
      await nextTurn()
      const page = await storage.entries(partition, { filter, newestFirst, after, limit: PAGE })
      for (const { key, value } of page) {
        const entry = parseRecord("entry", key, value)
        if (matchesFilter(entry, filter)) yield entry
      }
      if (page.length < PAGE) return
      after = page.at(-1)!
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
      return addTotals(await storage.totals(partition, { filter, groupBy, buckets }))
    },
    async prune({ partition, before }) {
      for (let removed = 0; ; ) {
        await nextTurn()
        const count = await storage.prune(partition, before, PAGE)
        removed += count
        if (count < PAGE) return { removed }
      }
    },
  }
}
