import type { Millis, Name } from "../store/name"
import type { Position } from "../store/storage"
import { record } from "../store/transition"
import { formatCursor, parseCursor } from "../usage/cursor"
import type { StoredEntry, UsageEntry } from "../usage/entry"
import { matchesFilter } from "../usage/filter"
import { UsageFold } from "../usage/fold"
import type { UsageLedger, UsageTotals } from "../usage/ledger"
import { compareAttempts, compareEntries } from "../usage/order"

type RequestOf<Member extends keyof UsageLedger> = Parameters<UsageLedger[Member]>[0]

interface PartitionEntries {
  byKey: Map<Name, StoredEntry>
  /** The same in order, until the next write. */
  sorted: readonly StoredEntry[] | undefined
  dropped: number
}

interface QueuedEntry {
  partition: Name
  key: Name
  at: Millis
}

export interface MemoryLedgerOptions {
  now: (partition: Name) => Millis
  maxEntries: number
  maxContentChars: number
}

/** Usage entries in memory. When it is full it drops the oldest, and `list` returns how many. */
export class MemoryLedger implements UsageLedger {
  readonly #options: MemoryLedgerOptions
  readonly #partitions = new Map<Name, PartitionEntries>()
  /** Entries of all partitions, oldest first, from `#head` on. Removed ones stay until it is compacted. */
  #queue: QueuedEntry[] = []
  #head = 0
  #size = 0
  #contentChars = 0

  constructor(options: MemoryLedgerOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#size
  }

  find(partition: Name, key: Name): StoredEntry | undefined {
    return this.#partitions.get(partition)?.byKey.get(key)
  }

  /** Keeps the entry, in place of an earlier one of its key. */
  write(partition: Name, entry: StoredEntry): void {
    const entries = this.#entriesOf(partition)
    const { idempotencyKey: key, at } = entry
    const before = entries.byKey.get(key)
    entries.byKey.set(key, entry)
    entries.sorted = undefined
    this.#contentChars += contentChars(entry) - (before === undefined ? 0 : contentChars(before))
    if (before === undefined) {
      this.#size++
      this.#queue.push({ partition, key, at })
    }
    const { maxEntries, maxContentChars } = this.#options
    while (this.#size > maxEntries || (this.#contentChars > maxContentChars && this.#size > 1)) this.#dropOldest()
    if (this.#queue.length > 2 * this.#size + 1_024) this.#compactQueue()
  }

  async record({ partition, key, entry }: RequestOf<"record">): Promise<{ now: Millis }> {
    const now = this.#options.now(partition)
    const written = record(this.find(partition, key), { key, entry }, now)
    if (written !== undefined) this.write(partition, written)
    return { now }
  }

  async get({ partition, requestId }: RequestOf<"get">): Promise<StoredEntry[]> {
    const attempts = this.#sorted(partition).filter((entry) => entry.requestId === requestId)
    return structuredClone(attempts.sort(compareAttempts))
  }

  async list(request: RequestOf<"list">): Promise<{ entries: StoredEntry[]; cursor: string | null; dropped: number }> {
    const { partition, filter, cursor, limit, newestFirst } = request
    const sorted = this.#sorted(partition)
    const dropped = this.#partitions.get(partition)?.dropped ?? 0
    const after = cursor === null ? undefined : parseCursor(cursor)
    const step = newestFirst ? -1 : 1
    const page: StoredEntry[] = []
    for (let index = startIndex(sorted, after, newestFirst); sorted[index] !== undefined; index += step) {
      const entry = sorted[index]!
      if (!matchesFilter(entry, filter)) continue
      const last = page.at(-1)
      if (last !== undefined && page.length === limit)
        return { entries: structuredClone(page), cursor: formatCursor(last), dropped }
      page.push(entry)
    }
    return { entries: structuredClone(page), cursor: null, dropped }
  }

  async totals({ partition, filter, groupBy, buckets }: RequestOf<"totals">): Promise<UsageTotals[]> {
    const fold = new UsageFold({ groupBy, buckets })
    for (const entry of this.#sorted(partition)) if (matchesFilter(entry, filter)) fold.add(entry)
    return fold.totals()
  }

  async prune({ partition, before }: RequestOf<"prune">): Promise<{ removed: number }> {
    const entries = this.#partitions.get(partition)
    const old = this.#sorted(partition).filter(({ at }) => at < before)
    if (entries !== undefined) for (const entry of old) this.#remove(partition, entries, entry)
    return { removed: old.length }
  }

  #entriesOf(partition: Name): PartitionEntries {
    let entries = this.#partitions.get(partition)
    if (entries === undefined) {
      entries = { byKey: new Map(), sorted: undefined, dropped: 0 }
      this.#partitions.set(partition, entries)
    }
    return entries
  }

  #sorted(partition: Name): readonly StoredEntry[] {
    const entries = this.#partitions.get(partition)
    if (entries === undefined) return []
    entries.sorted ??= [...entries.byKey.values()].sort(compareEntries)
    return entries.sorted
  }

  #remove(partition: Name, entries: PartitionEntries, entry: StoredEntry): void {
    entries.byKey.delete(entry.idempotencyKey)
    entries.sorted = undefined
    this.#size--
    this.#contentChars -= contentChars(entry)
    if (entries.byKey.size === 0) this.#partitions.delete(partition)
  }

  #dropOldest(): void {
    const queued = this.#queue[this.#head++]
    if (queued === undefined) return
    const { partition, key, at } = queued
    const entries = this.#partitions.get(partition)
    const entry = entries?.byKey.get(key)
    // It was pruned; if it was written again, it is queued again at a later position.
    if (entries === undefined || entry?.at !== at) return
    entries.dropped++
    this.#remove(partition, entries, entry)
  }

  #compactQueue(): void {
    const queued = this.#queue.slice(this.#head)
    this.#queue = queued.filter(({ partition, key, at }) => this.find(partition, key)?.at === at)
    this.#head = 0
  }
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

function contentChars({ prompt, answer }: UsageEntry): number {
  return (prompt?.length ?? 0) + (answer?.length ?? 0)
}
