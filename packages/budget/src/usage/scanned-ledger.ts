import type { Name } from "../store/shape"
import type { Position } from "../store/storage"
import type { StoredEntry, UsageFilter } from "./entry"
import { UsageFold } from "./fold"
import type { UsageLedger } from "./ledger"
import { compareAttempts, formatCursor, parseCursor } from "./query"

export interface ScanOptions {
  newestFirst: boolean
  /** The scan continues after this entry, in its direction. */
  after?: Position | undefined
}

/** The entries that match a filter, in order of (at, key) or the reverse. */
type Scan = (partition: Name, filter: UsageFilter, options: ScanOptions) => AsyncIterable<StoredEntry>

/** The queries of a ledger whose entries can be scanned. */
export function scannedLedger(scan: Scan): Pick<UsageLedger, "get" | "list" | "totals"> {
  return {
    async get({ partition, requestId }) {
      const attempts: StoredEntry[] = []
      for await (const entry of scan(partition, { requestId }, { newestFirst: false })) attempts.push(entry)
      return attempts.sort(compareAttempts)
    },
    async list({ partition, filter, cursor, limit, newestFirst }) {
      const after = cursor === null ? undefined : parseCursor(cursor)
      const entries: StoredEntry[] = []
      for await (const entry of scan(partition, filter, { newestFirst, after })) {
        const last = entries.at(-1)
        if (last !== undefined && entries.length === limit) return { entries, cursor: formatCursor(last), dropped: 0 }
        entries.push(entry)
      }
      return { entries, cursor: null, dropped: 0 }
    },
    async totals({ partition, filter, groupBy, buckets }) {
      const fold = new UsageFold({ groupBy, buckets })
      for await (const entry of scan(partition, filter, { newestFirst: false })) fold.add(entry)
      return fold.totals()
    },
  }
}
