import type { CostSource } from "@p2/core"
import type { Millis, Name, Nat } from "./store"

/** How an attempt ended. `expired` is written by the store when a lease runs out. */
export type UsageStatus = "succeeded" | "failed" | "refused" | "expired" | "released"

/** What is known of an attempt before it is sent. JSON values only. */
export interface UsageDraft {
  /** Groups the attempts of one request. At most 64 characters of a {@link Name}. */
  requestId: string
  /** Number of the attempt inside its request, from 1. */
  attempt: number
  clientId?: string | undefined
  userId?: string | undefined
  tags?: Record<string, string> | undefined
  /** The model as it was asked for. */
  model: string
  provider?: string | undefined
  /** How the answer was asked for: `text`, `json_schema`, `tool`, `json_object`, `prompt`, with `+stream` when streamed. */
  mode?: string | undefined
  /** The upper bound that was set aside. */
  reservedNanoUsd: Nat
  /**
   * What the lease costs when it runs out, written by core from `onExpire`. It becomes the cost of the expired entry and
   * is not kept there. @defaultValue `reservedNanoUsd`
   */
  expireCostNanoUsd?: Nat | undefined
  /** The reservation's fingerprint, written by core, so that any process can correct the attempt. Kept as it comes. */
  fingerprint?: string | undefined
}

/** One attempt as it went. */
export interface UsageEntry extends UsageDraft {
  status: UsageStatus
  /** The model that answered, in the provider's words. */
  modelUsed?: string | undefined
  errorCode?: string | undefined
  /** Tokens by kind; keys are the counts of core's `Usage`. */
  tokens: Record<string, Nat>
  /** Cost by kind, summing to `costNanoUsd`. */
  costs?: Record<string, Nat> | undefined
  costNanoUsd: Nat
  costSource: CostSource
  /** What the price table says it cost, where the provider said another figure. */
  tableCostNanoUsd?: Nat | undefined
  durationMs?: number | undefined
  generationId?: string | undefined
  /** Only when the user opted in; at most 64 KiB of UTF-8 each. */
  prompt?: string | undefined
  answer?: string | undefined
}

/** An entry as a store keeps it. */
export interface StoredEntry extends UsageEntry {
  /** The reservation's id, or the id given to `record`. One entry per id: a later truth overwrites it. */
  id: Name
  /** Time of the first write, by the store's clock. Order is (at, id). */
  at: Millis
  /** Revision of the truth that wrote it. */
  revision: number
  /** What each cell was charged by this attempt, by cell key. For every cell, spent = Σ charges + adjustments. */
  charges: Record<Name, number>
}

/** Every field that is given must match. */
export interface UsageFilter {
  /** Inclusive. */
  from?: Millis | undefined
  /** Exclusive. */
  to?: Millis | undefined
  requestId?: string | undefined
  clientId?: string | undefined
  userId?: string | undefined
  model?: string | undefined
  provider?: string | undefined
  status?: UsageStatus | undefined
  tag?: { name: string; value: string } | undefined
}

/** What totals are grouped by; `{ tag }` by the value of that tag; `bucket` by the buckets handed in. */
export type UsageGroup = "userId" | "clientId" | "model" | "provider" | "status" | "bucket" | { tag: string }

export interface UsageTotals {
  /** The values of the group, in the order of `groupBy`; null where an entry has none; a bucket is its start. */
  group: (string | number | null)[]
  /** Distinct request ids. */
  requests: Nat
  attempts: Nat
  succeeded: Nat
  failed: Nat
  refused: Nat
  expired: Nat
  /** Sums by kind. */
  tokens: Record<string, Nat>
  costNanoUsd: number
  /** Part of the cost that belongs to attempts that did not succeed. */
  failedCostNanoUsd: number
  reservedNanoUsd: number
  /** Σ (cost − table cost) over entries that have both. */
  differenceNanoUsd: number
}

/**
 * What was spent, attempt by attempt. Time buckets are handed in as boundaries, so that a store knows no time zone.
 * Members reject with `StoreError` or throw a mistake.
 */
export interface UsageLedger {
  /** Writes an entry without money (a refusal). The same id replaces nothing and is a no-op. */
  record(request: { root: Name; id: Name; entry: UsageEntry }): Promise<{ now: Millis }>
  /** Every attempt of a request, in order of attempt. Empty when unknown. */
  get(request: { root: Name; requestId: string }): Promise<StoredEntry[]>
  /** A page in order of (at, id), stable under writes: nothing that was there is skipped or repeated. */
  list(request: {
    root: Name
    filter: UsageFilter
    cursor?: string | undefined
    limit: number
    /** @defaultValue "oldest" */
    order?: "oldest" | "newest" | undefined
  }): Promise<{ entries: StoredEntry[]; cursor: string | null; dropped: Nat }>
  /** Exact sums, which stop at ±(2^53 − 1). `buckets` are ascending boundaries [b0, b1, …): bucket i is [b_i, b_i+1), entries outside are left out. */
  totals(request: {
    root: Name
    filter: UsageFilter
    groupBy: UsageGroup[]
    buckets?: Millis[] | undefined
  }): Promise<UsageTotals[]>
  /** Removes entries written before this instant. */
  prune(request: { root: Name; before: Millis }): Promise<{ removed: Nat }>
}
