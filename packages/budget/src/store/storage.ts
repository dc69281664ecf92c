import type { UsageFilter } from "../usage/entry"
import type { PartialTotals } from "../usage/fold"
import type { UsageGroup } from "../usage/ledger"
import type { StoreCheck } from "./budget-store"
import type { Millis, Name } from "./shape"

/** `damaged` lists the reservations that are set aside; `time` has one record per partition. */
export type RecordKind = "counter" | "reservation" | "adjustment" | "entry" | "time" | "damaged"

/** What to read of a partition. */
export interface Reads {
  /** Each pair of kind and key at most once. */
  records: readonly { kind: RecordKind; key: string }[]
  /** Maximum number of keys in `Found.due`; often 0. */
  due: number
}

/** What was read. */
export interface Found {
  /** The storage's own time; `createStore` derives `now` from it. */
  clock: Millis
  /** JSON text of the records that exist, in any order. */
  records: readonly { kind: RecordKind; key: string; value: string }[]
  /** Keys of reservations whose `at` is not after `clock`, by (at, key): the first of them. */
  due: readonly string[]
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

/**
 * Position of an ordered scan: it continues after this entry, in its direction. A scan begins at `{ at: -1, key: "" }`, and
 * newest first at `{ at: 2^53 − 1, key: "" }`.
 */
export interface Position {
  at: Millis
  key: string
}

/**
 * What a database must provide to become a budget store: a transaction over text records, and pages of entries and keys.
 * `createStore(storage)` turns it into a whole store. Members reject with a `StoreError`.
 */
export interface Storage {
  readonly name: string
  /** Whether several processes share one state. */
  readonly shared: boolean
  readonly clock: "server" | "process"
  /** How long one transaction may wait for a connection, locks and the database, in milliseconds: your own waits must end by then. @defaultValue 2000 */
  readonly timeoutMs?: number | undefined
  /** Calls that may share a transaction. @defaultValue 64 */
  readonly maxBatch?: number | undefined
  /** Prepares the database: opens it, creates or migrates tables. Called before any other member but `close`; again by the next call if it rejected. */
  open?(): Promise<void>
  /**
   * Reads, decides and writes, alone in this partition: what was read is unchanged when the writes are applied, all or none.
   * `decide` is synchronous and may run again; what it throws is thrown unchanged. Rejects with a `StoreError` that has
   * `conflict` if the transaction was not applied and should be tried again.
   */
  transaction<T>(partition: Name, reads: Reads, decide: (found: Found) => { result: T; writes: Write[] }): Promise<T>
  /** Reads at one moment. Does not wait for transactions. */
  read(partition: Name, reads: Reads): Promise<Found>
  /**
   * Entries after a position in order of (at, key), or before it in the reverse order: the first `limit`, fewer only at the
   * end. It may omit entries that do not match `filter`.
   */
  entries(
    partition: Name,
    options: { filter: UsageFilter; newestFirst: boolean; after: Position; limit: number },
  ): Promise<(Position & { value: string })[]>
  /** Keys of one kind, in byte order after `after`: the first `limit`. */
  keys(partition: Name, kind: "counter" | "damaged", options: { after: string; limit: number }): Promise<string[]>
  /** Deletes up to `limit` entries whose `at` is before this, fewer only at the end; resolves to their number. */
  prune(partition: Name, before: Millis, limit: number): Promise<number>
  /**
   * Deletes some records of any partition whose `forgetAt` is not after this. Called in the background after every few hundred
   * writes, never concurrently; should block no other call. @defaultValue nothing is deleted, or `transaction` does it
   */
  forget?(before: Millis): Promise<void>
  /**
   * Sums of the entries that a `UsageFold` would add, in any number of parts per group. For a database that sums faster than
   * it returns entries. @defaultValue `createStore` folds `entries`
   */
  totals?(
    partition: Name,
    query: { filter: UsageFilter; groupBy: readonly UsageGroup[]; buckets: readonly Millis[] | null },
  ): Promise<PartialTotals[]>
  check?(): Promise<StoreCheck>
  /** Closes what the storage opened itself, if `open` was called. Called once, when all calls have ended. */
  close?(): Promise<void>
}
