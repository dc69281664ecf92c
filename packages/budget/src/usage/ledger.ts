import type { NanoUsd } from "@p2/core"
import type { Millis, Name } from "../store/shape"
import type { StoredEntry, UsageEntry, UsageFilter } from "./entry"

/** A field that totals are grouped by. `{ tag }` groups by the value of that tag, `bucket` by the buckets of the request. */
export type UsageGroup = "userId" | "clientId" | "model" | "provider" | "status" | "bucket" | { tag: string }

/** Exact sums of one group. Sums saturate at ±(2^53 − 1). */
export interface UsageTotals {
  /** The values of the group, in the order of `groupBy`; null if an entry has none; the value of a bucket is its start. */
  group: (string | number | null)[]
  /** Distinct request ids, plus denials beyond the first of each recorded entry. */
  requests: number
  attempts: number
  succeeded: number
  failed: number
  denied: number
  expired: number
  released: number
  /** Sums by kind. */
  tokens: Record<string, number>
  costNanoUsd: NanoUsd
  /** The part of the cost of attempts that did not succeed. */
  failedCostNanoUsd: NanoUsd
  /** Entries that are `inDoubt`. */
  inDoubt: number
  /** The part of the cost of entries that are `inDoubt`. */
  inDoubtNanoUsd: NanoUsd
  reservedNanoUsd: NanoUsd
  /** Σ (cost − table cost) over entries that have both. */
  differenceNanoUsd: NanoUsd
}

/**
 * Usage entries of a store. Time buckets are passed in as boundaries, so a store needs no time zones. Members reject
 * with a `StoreError`. A member returns a complete result or rejects; it never returns part of one.
 */
export interface UsageLedger {
  /**
   * Writes an entry without money (a denial, an audit). If the key has a recorded entry, adds `entry.count ?? 1` to its
   * `count` instead; if the key has an entry of a reservation, does nothing.
   */
  record(request: { partition: Name; key: Name; entry: UsageEntry }): Promise<{ now: Millis }>
  /** Every attempt of a request, by (attempt, at, idempotencyKey). Empty when unknown. */
  get(request: { partition: Name; requestId: string }): Promise<StoredEntry[]>
  /** A page in order of (at, idempotencyKey). `dropped`: entries lost because the store was full. Entries that exist throughout are neither skipped nor repeated. */
  list(request: {
    partition: Name
    filter: UsageFilter
    cursor: string | null
    /** 1 to 1000. */
    limit: number
    newestFirst: boolean
  }): Promise<{ entries: StoredEntry[]; cursor: string | null; dropped: number }>
  /** `buckets`: ascending boundaries [b0, b1, …): bucket i is [b_i, b_i+1), entries outside are omitted. */
  totals(request: {
    partition: Name
    filter: UsageFilter
    groupBy: UsageGroup[]
    buckets: Millis[] | null
  }): Promise<UsageTotals[]>
  /** Removes entries written before this instant. */
  prune(request: { partition: Name; before: Millis }): Promise<{ removed: number }>
}
