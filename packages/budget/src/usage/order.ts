import type { Millis, Name } from "../store/name"
import type { StoredEntry } from "./entry"

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
