import type { UsageFilter } from "../usage/entry"
import type { UsageGroup, UsageTotals } from "../usage/ledger"
import type { StoreCheck } from "./budget-store"
import type { Millis, Name } from "./shape"

/** `damaged` lists the reservations that are set aside; `time` has one record per partition. */
export type RecordKind = "counter" | "reservation" | "adjustment" | "entry" | "time" | "damaged"

/** The records that a transaction can read. */
export interface Records {
  /** The storage's own time; `createStore` derives `now` from it. */
  readonly clock: Millis
  /** JSON text of the records that exist, by key. */
  get(kind: RecordKind, keys: string[]): Promise<Map<string, string>>
  /** Keys of reservations whose `at` is not after `clock`, by (at, key): the first `limit`. */
  due(limit: number): Promise<string[]>
}

/** One record to write. Opaque text: the database never interprets `value`. */
export interface Write {
  kind: RecordKind
  key: string
  /** Null deletes the record. That of an entry is the JSON of a `StoredEntry`. */
  value: string | null
  /** An integer. For a held reservation, the end of its lease; for an entry, its time, which never changes; otherwise absent. */
  at?: Millis | undefined
  /** An integer, with the margin for clocks that jump. The record may be deleted at any time after this; absent: never. */
  forgetAt?: Millis | undefined
}

/** Position of an ordered scan: it continues after this entry, in its direction. */
export interface Position {
  at: Millis
  key: string
}

/**
 * What a database must provide to become a budget store: a transaction over text records, an ordered scan, and a list of
 * keys. `createStore(storage)` makes the whole store of it. Members reject with a `StoreError`.
 */
export interface Storage {
  readonly name: string
  /** Whether several processes share one state. */
  readonly shared: boolean
  readonly clock: "server" | "process"
  /** How long one call may take, including its wait in the queue. After that it is in doubt, so your own waits must end earlier. @defaultValue 2000 */
  readonly timeoutMs?: number | undefined
  /** Calls that may share a transaction. @defaultValue 64 */
  readonly maxBatch?: number | undefined
  /**
   * Runs `body` alone in this partition: what it read is unchanged when its writes are applied, all or none. May run
   * `body` again. `body` awaits nothing but `records`; what it throws is thrown unchanged. `writes` has each (kind, key) at
   * most once. `readOnly`: it writes nothing, so that a snapshot is enough and no lock is needed. Begins in a turn of the
   * event loop of its own, as each page of a scan does.
   */
  transaction<T>(
    partition: Name,
    body: (records: Records) => Promise<{ result: T; writes: Write[] }>,
    options: { readOnly: boolean },
  ): Promise<T>
  /**
   * Texts of entries in order of (at, key), or the reverse. Each entry that exists throughout is seen exactly once, with
   * content as of some moment of the scan. It may omit entries that do not match `filter`.
   */
  scan(
    partition: Name,
    options: { filter: UsageFilter; newestFirst: boolean; after?: Position | undefined },
  ): AsyncIterable<string>
  /** Keys of one kind, in byte order after `after`: the first `limit`. */
  keys(partition: Name, kind: "counter" | "damaged", options: { after: string; limit: number }): Promise<string[]>
  /** Deletes entries whose `at` is before this; resolves to their number. */
  prune(partition: Name, before: Millis): Promise<number>
  /**
   * The totals that a `UsageFold` over all matching entries has, in any order. For a database that sums faster than it
   * returns entries. @defaultValue `createStore` folds the entries of `scan`
   */
  totals?(
    partition: Name,
    query: { filter: UsageFilter; groupBy: readonly UsageGroup[]; buckets: readonly Millis[] | null },
  ): Promise<UsageTotals[]>
  check?(): Promise<StoreCheck>
  close?(): Promise<void>
}
