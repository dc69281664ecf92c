import { InvalidArgumentError } from "@p2/core"
import type { Millis, Name } from "../store/shape"
import type { Position } from "../store/storage"
import type { StoredEntry, UsageFilter } from "./entry"
import { tagOf, UsageFold } from "./fold"
import type { UsageLedger } from "./ledger"

/** Order of the ledger: by time of the first write, then by key. Keys are ASCII, so comparing strings compares bytes. */
export function compareEntries(
  a: { at: Millis; idempotencyKey: Name },
  b: { at: Millis; idempotencyKey: Name },
): number {
  return a.at - b.at || (a.idempotencyKey < b.idempotencyKey ? -1 : a.idempotencyKey > b.idempotencyKey ? 1 : 0)
}

/** Order of the attempts of one request. */
export function compareAttempts(a: StoredEntry, b: StoredEntry): number {
  return a.attempt - b.attempt || compareEntries(a, b)
}

/** The cursor of a page that ends with this entry. */
export function formatCursor({ at, idempotencyKey }: StoredEntry): string {
  return `${at}~${idempotencyKey}`
}

/** @throws InvalidArgumentError */
export function parseCursor(cursor: string): Position {
  const [, at, key] = /^(\d{1,16})~([A-Za-z0-9_.:|=-]{1,64})$/.exec(cursor) ?? []
  if (key === undefined) throw new InvalidArgumentError("cursor", "a cursor that `list` returned", cursor)
  return { at: Number(at), key }
}

const EXACT_FIELDS = ["requestId", "clientId", "userId", "model", "provider", "status"] as const

/** Whether an entry matches every field of the filter exactly: no case folding, prefixes or Unicode normalization. */
export function matchesFilter(entry: StoredEntry, filter: UsageFilter): boolean {
  const { from, to, tag } = filter
  if (from !== undefined && entry.at < from) return false
  if (to !== undefined && entry.at >= to) return false
  for (const field of EXACT_FIELDS) {
    const wanted = filter[field]
    if (wanted !== undefined && entry[field] !== wanted) return false
  }
  return tag === undefined || tagOf(entry, tag.name) === tag.value
}

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
