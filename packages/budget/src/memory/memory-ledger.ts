import type { Millis, Name } from "../store/budget-store"
import type { Position } from "../store/storage"
import { record } from "../store/transition"
import type { StoredEntry, UsageEntry, UsageFilter } from "../usage/entry"
import type { UsageLedger, UsageTotals } from "../usage/ledger"
import { compareEntries, matchesFilter, type ScanOptions, scannedLedger } from "../usage/query"

type RequestOf<Member extends keyof UsageLedger> = Parameters<UsageLedger[Member]>[0]

export interface MemoryLedgerOptions {
  now: (partition: Name) => Millis
  maxEntries: number
  maxContentChars: number
}

/** The entries of a partition. */
interface LedgerPartition {
  readonly name: Name
  readonly slots: Map<Name, Slot>
  /** In order, until the next write. */
  sorted: readonly StoredEntry[] | undefined
  /** How many were dropped. */
  dropped: number
}

/** Holds the newest entry of a key. */
interface Slot {
  readonly partition: LedgerPartition
  entry: StoredEntry
}

/** Usage entries in memory. When it is full it drops the oldest, and `list` returns how many. */
export class MemoryLedger implements UsageLedger {
  readonly #options: MemoryLedgerOptions
  readonly #partitions = new Map<Name, LedgerPartition>()
  /** Of all partitions, in the order of their first write. */
  readonly #slots = new Set<Slot>()
  /** Continues after the last dropped entry: a new iterator would step over every deleted entry. */
  #oldest = this.#slots.values()
  #contentChars = 0
  readonly #queries = scannedLedger((partition, filter, options) => this.#scan(partition, filter, options))

  constructor(options: MemoryLedgerOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#slots.size
  }

  find(partition: Name, key: Name): StoredEntry | undefined {
    return this.#partitions.get(partition)?.slots.get(key)?.entry
  }

  /** Keeps the entry, in place of an earlier one of its key. */
  write(name: Name, entry: StoredEntry): void {
    const partition = this.#partitions.get(name) ?? { name, slots: new Map(), sorted: undefined, dropped: 0 }
    this.#partitions.set(name, partition)
    partition.sorted = undefined
    const slot = partition.slots.get(entry.idempotencyKey)
    this.#contentChars += contentChars(entry) - contentChars(slot?.entry)
    if (slot === undefined) {
      const added = { partition, entry }
      partition.slots.set(entry.idempotencyKey, added)
      this.#slots.add(added)
    } else slot.entry = entry
    const { maxEntries, maxContentChars } = this.#options
    while (this.size > maxEntries || (this.#contentChars > maxContentChars && this.size > 1)) this.#dropOldest()
  }

  async record({ partition, key, entry }: RequestOf<"record">): Promise<{ now: Millis }> {
    const now = this.#options.now(partition)
    const written = record(this.find(partition, key), { key, entry }, now)
    if (written !== undefined) this.write(partition, written)
    return { now }
  }

  async get(request: RequestOf<"get">): Promise<StoredEntry[]> {
    return structuredClone(await this.#queries.get(request))
  }

  async list(request: RequestOf<"list">): ReturnType<UsageLedger["list"]> {
    const { entries, cursor } = await this.#queries.list(request)
    return { entries: structuredClone(entries), cursor, dropped: this.#partitions.get(request.partition)?.dropped ?? 0 }
  }

  async totals(request: RequestOf<"totals">): Promise<UsageTotals[]> {
    return this.#queries.totals(request)
  }

  async prune({ partition, before }: RequestOf<"prune">): Promise<{ removed: number }> {
    const slots = [...(this.#partitions.get(partition)?.slots.values() ?? [])]
    const old = slots.filter(({ entry }) => entry.at < before)
    for (const slot of old) this.#remove(slot)
    return { removed: old.length }
  }

  /** Scans the entries that exist now. */
  async *#scan(partition: Name, filter: UsageFilter, { newestFirst, after }: ScanOptions): AsyncGenerator<StoredEntry> {
    const sorted = this.#entriesOf(partition)
    const step = newestFirst ? -1 : 1
    for (let index = startIndex(sorted, after, newestFirst); sorted[index] !== undefined; index += step)
      if (matchesFilter(sorted[index]!, filter)) yield sorted[index]!
  }

  #entriesOf(name: Name): readonly StoredEntry[] {
    const partition = this.#partitions.get(name)
    if (partition === undefined) return []
    partition.sorted ??= Array.from(partition.slots.values(), ({ entry }) => entry).sort(compareEntries)
    return partition.sorted
  }

  #remove(slot: Slot): void {
    const { partition, entry } = slot
    this.#contentChars -= contentChars(entry)
    this.#slots.delete(slot)
    partition.slots.delete(entry.idempotencyKey)
    partition.sorted = undefined
    if (partition.slots.size === 0 && partition.dropped === 0) this.#partitions.delete(partition.name)
  }

  #dropOldest(): void {
    let next = this.#oldest.next()
    if (next.done) {
      this.#oldest = this.#slots.values()
      next = this.#oldest.next()
    }
    const slot = next.value!
    slot.partition.dropped++
    this.#remove(slot)
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

function contentChars({ prompt, answer }: Partial<UsageEntry> = {}): number {
  return (prompt?.length ?? 0) + (answer?.length ?? 0)
}
