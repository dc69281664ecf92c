import type { FinalState, UsageEntry } from "../usage/entry"
import type { UsageLedger } from "../usage/ledger"
import type { Millis, Name } from "./shape"

export type { FinalState, Millis, Name }

/** A counter of one call: one scope, in one window, in one unit. Names are unique inside a partition and inside a call. */
export interface CounterRef {
  name: Name
  /** Start of the window; null: unbounded. Before it, a reserve is `stale-window`. */
  startsAt: Millis | null
  /** End of the window, exclusive; null: unbounded. */
  endsAt: Millis | null
  /**
   * When the counter is forgotten, if nothing is reserved. With a window: this long after its end, at least the retention;
   * null: the retention. Without one: this long after its last use; null: never.
   */
  keepMs: number | null
}

/** Whether an instant is in the window of a counter. */
export function isOpen({ startsAt, endsAt }: CounterRef, now: Millis): boolean {
  return (startsAt === null || startsAt <= now) && (endsAt === null || now < endsAt)
}

export interface ReserveCounter extends CounterRef {
  /** Upper bound to reserve, in the counter's unit (nano-USD, tokens, requests); 0 is never denied. */
  amount: number
  /** The limit, to which top-ups (`granted`) are added; null: only counts, up to 2^53 − 1. */
  limit: number | null
  /** Charged if the lease ends without a settle; at most `amount`. */
  onExpire: number
}

export interface SettleCounter extends CounterRef {
  /** The reserved amount; used only if the stored reservation is damaged. */
  reserved: number
  /** The actual cost, which may exceed `reserved`; 0 when released. */
  amount: number
}

export interface CounterState {
  name: Name
  /** Negative only after corrections. */
  spent: number
  reserved: number
  granted: number
}

/** A counter before and after a change. A threshold t was crossed when `peakBefore < t <= peak`. */
export interface CounterChange extends CounterState {
  /** High-water mark of `spent` before the change. */
  peakBefore: number
  peak: number
}

export interface ReserveRequest {
  partition: Name
  /** The idempotency key. */
  key: Name
  /** What was requested, at most 64 bytes: the same key with another fingerprint is `mismatch`. */
  fingerprint: string
  /** Possibly empty; at most `capabilities.maxCounters`. */
  counters: ReserveCounter[]
  leaseMs: number
  /** Written unchanged as the usage entry if the lease ends without a settle. Ignored without a ledger. */
  pendingEntry: UsageEntry
}

export type ReserveReply = {
  now: Millis
  /** In the order of the request, after this call. */
  counters: CounterState[]
  /** Whether leases of this partition have ended and wait to be expired. */
  due: boolean
} & (
  | { status: "ok"; replayed: boolean; expiresAt: Millis }
  /** `which`: indexes of the counters that deny. Nothing was stored. */
  | { status: "exceeded"; which: number[] }
  | { status: "stale-window"; which: number[] }
  | { status: "mismatch" }
  | { status: "resolved"; state: FinalState }
  /** The key is held and its lease has ended. Expire it with these counters, then reserve again. */
  | { status: "lease-ended"; storedCounters: Name[] }
)

export interface SettleRequest {
  partition: Name
  key: Name
  fingerprint: string
  outcome: "settled" | "released"
  /** 0 is the first actual cost; a higher one replaces amounts and entry of a settled key. */
  revision: number
  counters: SettleCounter[]
  /** End of the lease from the reply of the reserve; null: not reserved in this store. Tells a lost key from a forgotten one. */
  expiresAt: Millis | null
  /** Written in the same step. Ignored without a ledger. */
  entry: UsageEntry
}

export type SettleReply = { now: Millis } & (
  | {
      status: "settled" | "released"
      /** In the order of the request, before and after this call. */
      counters: CounterChange[]
      /** The store had received the same settle before; nothing changed. */
      replayed: boolean
      /** The lease had expired; its charge was replaced. */
      late: boolean
      /** The store had lost the key, or its record was damaged. The cost was charged anyway. */
      recovered: boolean
      /** How many counters the store has forgotten. They did not change; key and entry did. */
      forgottenCounters: number
    }
  | { status: "mismatch" }
  /** The key was resolved so long ago that the store has forgotten it; nothing was written. */
  | { status: "forgotten" }
  /** The reservation was made in other counters; nothing was written. Settle again with these. */
  | { status: "other-counters"; storedCounters: Name[] }
)

export interface ExtendRequest {
  partition: Name
  key: Name
  leaseMs: number
}

/** A counter of a held reservation, as it is stored. */
export interface ReservedCounter {
  name: Name
  amount: number
  onExpire: number
}

export type ExtendReply = { now: Millis } & (
  | { status: "held"; expiresAt: Millis; fingerprint: string; counters: ReservedCounter[] }
  | { status: FinalState | "unknown" }
)

export interface ExpireRequest {
  partition: Name
  key: Name
  /** Counter names from `listDue` or `lease-ended`. */
  counters: Name[]
}

export type ExpireReply = { now: Millis } & (
  | {
      status: "expired"
      /** In the order of the request. */
      counters: CounterChange[]
      /** The charge of each counter. */
      charged: number[]
    }
  /** Not held, unknown, or its lease has not ended. */
  | { status: "not-due" }
  | { status: "other-counters"; storedCounters: Name[] }
  /** The record or one of its counters is damaged. The key was set aside: its amount stays reserved, and `check()` lists it. */
  | { status: "damaged" }
)

export interface ListDueReply {
  now: Millis
  /** Oldest first. A damaged reservation is listed with no counters. */
  due: { key: Name; counters: Name[] }[]
}

export interface AdjustRequest {
  partition: Name
  /** The adjustment's own idempotency key. */
  key: Name
  counter: CounterRef
  /** `spent` corrects, `granted` tops up, `reset` sets spent and peak to 0 (its `delta` is 0). */
  kind: "spent" | "granted" | "reset"
  delta: number
}

export type AdjustReply = { now: Millis } & (
  | {
      status: "ok"
      counter: CounterChange
      replayed: boolean
      /** The change of `granted` or `spent`; a replay returns that of the first call. */
      applied: number
    }
  | { status: "mismatch" }
  | { status: "stale-window" }
)

export interface ReadReply {
  now: Millis
  due: boolean
  /** In the order of the request; an unseen or forgotten counter is zeros. */
  counters: CounterState[]
}

export interface ListCountersReply {
  now: Millis
  counters: CounterState[]
  /** Names of counters whose record is damaged. */
  damaged: Name[]
  /** Null: that was the last page. */
  cursor: string | null
}

export interface StoreCapabilities {
  /** Whether several processes share one state. */
  shared: boolean
  /** Whose clock decides windows and leases. */
  clock: "server" | "process"
  /** How long resolved keys, and counters after the end of their window, are kept. */
  retentionMs: number
  /** Maximum number of counters in one call; at least 16. */
  maxCounters: number
  /** How long one call may take; the caller gives up after that. */
  timeoutMs: number
}

export interface StoreCheck {
  ok: boolean
  /**
   * What the data survives: nothing, the end of the process, a power failure except for the last second, a power
   * failure.
   */
  durability: "none" | "process" | "second" | "disk"
  warnings: string[]
  /** Keys of reservations that are set aside as damaged, at most 100. Only with a partition. */
  damaged?: Name[] | undefined
  /** How far the clock is behind the partition's latest time. Only with a partition. */
  clockBehindMs?: number | undefined
}

/**
 * Updates counters atomically. A store knows no prices, time zones, users or limits: the budget computes counter names,
 * windows and amounts, validates and copies them, and passes them in. A request belongs to the store: its caller does not
 * change it. Every member is one atomic step and touches one reservation or one counter. Members reject with a
 * `StoreError`; everything else is a reply.
 *
 * The rules are in docs/custom-store.md. Most databases need only a `Storage`, from which `createStore` makes a store.
 */
export interface BudgetStore {
  readonly name: string
  readonly capabilities: StoreCapabilities
  /** Adds `amount` to `reserved` of all counters, or of none. */
  reserve(request: ReserveRequest): Promise<ReserveReply>
  /** Replaces the reserved or charged amount of the key. Never denies. */
  settle(request: SettleRequest): Promise<SettleReply>
  /** Moves the end of a lease to max(old end, clock + leaseMs). Does not revive an ended lease. */
  extend(request: ExtendRequest): Promise<ExtendReply>
  /** Ends one lease if it is due now: charges `onExpire`, releases the rest, writes the pending entry. */
  expire(request: ExpireRequest): Promise<ExpireReply>
  /** Reservations whose lease has ended, at most `limit` (1 to 64). No snapshot: `expire` checks again. */
  listDue(request: { partition: Name; limit: number }): Promise<ListDueReply>
  /** Reads counters. Never writes. */
  read(request: { partition: Name; counters: Name[] }): Promise<ReadReply>
  /** A correction, a top-up or a reset of one counter, once per key. */
  adjust(request: AdjustRequest): Promise<AdjustReply>
  /** Counters of a partition, page by page, at most about `limit` a page; each at least once. */
  listCounters(request: { partition: Name; cursor: string | null; limit: number }): Promise<ListCountersReply>
  /** Sets the partition's `time` to the clock, after a wrong clock was corrected. */
  acceptClock(request: { partition: Name }): Promise<{ now: Millis; before: Millis }>
  /** Checks the server's configuration; with a partition, also its damage and its clock. */
  check(request?: { partition?: Name | undefined }): Promise<StoreCheck>
  /** Present if `settle` writes usage entries in its atomic step. */
  readonly ledger?: UsageLedger | undefined
  /** Closes what the store opened itself, never what it was given. */
  close?(): Promise<void>
}
