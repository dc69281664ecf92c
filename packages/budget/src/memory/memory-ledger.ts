import type { Millis, Name } from "../store/budget-store"
import type { Position } from "../store/storage"
import { record } from "../store/transition"
import type { StoredEntry, UsageEntry } from "../usage/entry"
import { UsageFold } from "../usage/fold"
import type { UsageLedger, UsageTotals } from "../usage/ledger"
import { compareAttempts, compareEntries, formatCursor, matchesFilter, parseCursor } from "../usage/query"

type RequestOf<Member extends keyof UsageLedger> = Parameters<UsageLedger[Member]>[0]

export interface MemoryLedgerOptions {
  now: (partition: Name) => Millis
  maxEntries: number
  maxContentChars: number
}

/** Usage entries in memory. When it is full it drops the oldest, and `list` returns how many. */
export class MemoryLedger implements UsageLedger {
  readonly #options: MemoryLedgerOptions
  /** Entries of all partitions in the order of their first write, by {@link idOf}. */
  readonly #entries = new Map<string, StoredEntry>()
  /** Continues where the last dropped entry was: a new iterator would pass over all that were deleted. */
  #oldest = this.#entries.keys()
  /** How many entries of a partition were dropped. */
  readonly #dropped = new Map<Name, number>()
  /** Entries of a partition in order, until the next write. */
  readonly #sorted = new Map<Name, readonly StoredEntry[]>()
  #contentChars = 0

  constructor(options: MemoryLedgerOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#entries.size
  }

  find(partition: Name, key: Name): StoredEntry | undefined {
    return this.#entries.get(idOf(partition, key))
  }

  /** Keeps the entry, in place of an earlier one of its key. */
  write(partition: Name, entry: StoredEntry): void {
    const id = idOf(partition, entry.idempotencyKey)
    this.#contentChars += contentChars(entry) - contentChars(this.#entries.get(id))
    this.#entries.set(id, entry)
    if (this.#sorted.size > 0) this.#sorted.clear()
    const { maxEntries, maxContentChars } = this.#options
    while (this.size > maxEntries || (this.#contentChars > maxContentChars && this.size > 1)) this.#dropOldest()
  }

  async record({ partition, key, entry }: RequestOf<"record">): Promise<{ now: Millis }> {
    const now = this.#options.now(partition)
    const written = record(this.find(partition, key), { key, entry }, now)
    if (written !== undefined) this.write(partition, written)
    return { now }
  }

  async get({ partition, requestId }: RequestOf<"get">): Promise<StoredEntry[]> {
    const attempts = this.#entriesOf(partition).filter((entry) => entry.requestId === requestId)
    return structuredClone(attempts.sort(compareAttempts))
  }

  async list(request: RequestOf<"list">): Promise<{ entries: StoredEntry[]; cursor: string | null; dropped: number }> {
    const { partition, filter, cursor, limit, newestFirst } = request
    const sorted = this.#entriesOf(partition)
    const after = cursor === null ? undefined : parseCursor(cursor)
    const step = newestFirst ? -1 : 1
    const page: StoredEntry[] = []
    let next: string | null = null
    for (let index = startIndex(sorted, after, newestFirst); sorted[index] !== undefined; index += step) {
      const entry = sorted[index]!
      if (!matchesFilter(entry, filter)) continue
      if (page.length === limit) {
        next = formatCursor(page.at(-1)!)
        break
      }
      page.push(entry)
    }
    return { entries: structuredClone(page), cursor: next, dropped: this.#dropped.get(partition) ?? 0 }
  }

  async totals({ partition, filter, groupBy, buckets }: RequestOf<"totals">): Promise<UsageTotals[]> {
    const fold = new UsageFold({ groupBy, buckets })
    for (const entry of this.#entriesOf(partition)) if (matchesFilter(entry, filter)) fold.add(entry)
    return fold.totals()
  }

  async prune({ partition, before }: RequestOf<"prune">): Promise<{ removed: number }> {
    const old = this.#entriesOf(partition).filter(({ at }) => at < before)
    for (const { idempotencyKey } of old) this.#remove(idOf(partition, idempotencyKey))
    return { removed: old.length }
  }

  #entriesOf(partition: Name): readonly StoredEntry[] {
    let sorted = this.#sorted.get(partition)
    if (sorted === undefined) {
      const start = idOf(partition, "")
      const entries = [...this.#entries].flatMap(([id, entry]) => (id.startsWith(start) ? entry : []))
      sorted = entries.sort(compareEntries)
      this.#sorted.set(partition, sorted)
    }
    return sorted
  }

  #remove(id: string): void {
    this.#contentChars -= contentChars(this.#entries.get(id))
    this.#entries.delete(id)
    this.#sorted.clear()
  }

  #dropOldest(): void {
    let next = this.#oldest.next()
    if (next.done) {
      this.#oldest = this.#entries.keys()
      next = this.#oldest.next()
    }
    const id = next.value!
    const partition = id.slice(0, id.indexOf(" "))
    this.#dropped.set(partition, (this.#dropped.get(partition) ?? 0) + 1)
    this.#remove(id)
  }
}

/** A name contains no space. */
function idOf(partition: Name, key: Name): string {
  return `${partition} ${key}`
}

/** Where a page starts: at the first entry after `after`, in the direction of the page. */
function startIndex(sorted: readonly StoredEntry[], after: Position | undefined, newestFirst: boolean): number {
  if (after === undefined) return newestFirst ? sorted.length - 1 : 0
  const position = { at: after.at, idempotencyKey: after.key }
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    const order = compareEntries(sorted[middle]!, position)
    if (order < 0 || (order === 0 && !newestFirst)) low = middle + 1
    else high = middle
  }
  return newestFirst ? low - 1 : low
}

function contentChars({ prompt, answer }: Partial<UsageEntry> = {}): number {
  return (prompt?.length ?? 0) + (answer?.length ?? 0)
}
