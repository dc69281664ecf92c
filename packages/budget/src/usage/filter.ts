import type { StoredEntry, UsageFilter } from "./entry"

const EXACT_FIELDS = ["requestId", "clientId", "userId", "model", "provider", "status"] as const

/** Whether an entry matches every field of the filter exactly: no case folding, prefixes or Unicode normalisation. */
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
