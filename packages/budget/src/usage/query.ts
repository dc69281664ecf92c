import { InvalidArgumentError } from "@p2/core"
import type { Millis, Name } from "../store/shape"
import type { Position } from "../store/storage"
import type { StoredEntry, UsageFilter } from "./entry"

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

/** The value of a tag; null if the entry does not have it. `__proto__` is an ordinary name. */
export function tagOf(entry: Pick<StoredEntry, "tags">, name: string): string | null {
  return entry.tags !== undefined && Object.hasOwn(entry.tags, name) ? entry.tags[name]! : null
}
