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

/** Usage entries in memory. When it is full it drops the oldest, and `list` returns how many. */
export class MemoryLedger implements UsageLedger {
  readonly #options: MemoryLedgerOptions
  /** Entries of all partitions in the order of their first write, by {@link idOf}. */
  readonly #entries = new Map<string, StoredEntry>()
  /** Continues after the last dropped entry: a new iterator would step over every deleted entry. */
  #oldest = this.#entries.keys()
  /** How many entries of a partition were dropped. */
  readonly #dropped = new Map<Name, number>()
  /** Entries of a partition in order, until the next write. */
  readonly #sorted = new Map<Name, readonly StoredEntry[]>()
  #contentChars = 0
  readonly #queries = scannedLedger((partition, filter, options) => this.#scan(partition, filter, options))

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

  async get(request: RequestOf<"get">): Promise<StoredEntry[]> {
    return structuredClone(await this.#queries.get(request))
  }

  async list(request: RequestOf<"list">): ReturnType<UsageLedger["list"]> {
    const { entries, cursor } = await this.#queries.list(request)
    return { entries: structuredClone(entries), cursor, dropped: this.#dropped.get(request.partition) ?? 0 }
  }

  async totals(request: RequestOf<"totals">): Promise<UsageTotals[]> {
    return this.#queries.totals(request)
  }

  async prune({ partition, before }: RequestOf<"prune">): Promise<{ removed: number }> {
    const old = this.#entriesOf(partition).filter(({ at }) => at < before)
    for (const { idempotencyKey } of old) this.#remove(idOf(partition, idempotencyKey))
    return { removed: old.length }
  }

  /** Scans the entries that exist now. */
  async *#scan(partition: Name, filter: UsageFilter, { newestFirst, after }: ScanOptions): AsyncGenerator<StoredEntry> {
    const sorted = this.#entriesOf(partition)
    const step = newestFirst ? -1 : 1
    for (let index = startIndex(sorted, after, newestFirst); sorted[index] !== undefined; index += step)
      if (matchesFilter(sorted[index]!, filter)) yield sorted[index]!
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
