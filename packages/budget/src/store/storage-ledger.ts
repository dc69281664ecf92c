import type { StoredEntry, UsageFilter } from "../usage/entry"
import { UsageFold } from "../usage/fold"
import type { UsageLedger } from "../usage/ledger"
import { compareAttempts, formatCursor, matchesFilter, parseCursor } from "../usage/query"
import type { Name } from "./budget-store"
import { nextTurn } from "./next-turn"
import { parseRecord } from "./record-view"
import type { Position, Storage } from "./storage"

/** How many entries to read in one turn of the event loop, if the scan of the storage does not wait. */
const ENTRIES_PER_TURN = 1_000

/** The usage ledger on a storage; `record` writes an entry in a transaction. */
export function storageLedger(storage: Storage, record: UsageLedger["record"]): UsageLedger {
  async function* matching(
    partition: Name,
    filter: UsageFilter,
    options: { newestFirst: boolean; after?: Position | undefined } = { newestFirst: false },
  ): AsyncGenerator<StoredEntry> {
    let scanned = 0
    await nextTurn()
    for await (const text of storage.scan(partition, { filter, ...options })) {
      if (++scanned % ENTRIES_PER_TURN === 0) await nextTurn()
      const entry = parseRecord("entry", "(scan)", text)
      if (matchesFilter(entry, filter)) yield entry
    }
  }

  return {
    record,
    async get({ partition, requestId }) {
      const attempts: StoredEntry[] = []
      for await (const entry of matching(partition, { requestId })) attempts.push(entry)
      return attempts.sort(compareAttempts)
    },
    async list({ partition, filter, cursor, limit, newestFirst }) {
      const after = cursor === null ? undefined : parseCursor(cursor)
      const entries: StoredEntry[] = []
      for await (const entry of matching(partition, filter, { newestFirst, after })) {
        const last = entries.at(-1)
        if (last !== undefined && entries.length === limit) return { entries, cursor: formatCursor(last), dropped: 0 }
        entries.push(entry)
      }
      return { entries, cursor: null, dropped: 0 }
    },
    async totals({ partition, filter, groupBy, buckets }) {
      if (storage.totals !== undefined) {
        await nextTurn()
        return storage.totals(partition, { filter, groupBy, buckets })
      }
      const fold = new UsageFold({ groupBy, buckets })
      for await (const entry of matching(partition, filter)) fold.add(entry)
      return fold.totals()
    },
    async prune({ partition, before }) {
      await nextTurn()
      return { removed: await storage.prune(partition, before) }
    },
  }
}
