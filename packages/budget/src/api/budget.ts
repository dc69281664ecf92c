import type { NanoUsd } from "@p2/core"
import type { Amount, AmountInput } from "../limits/amount"
import type { Limit, Limits } from "../limits/limit"
import type { LimitStatus } from "../limits/limit-status"
import type { Scope, Subject } from "../limits/subject"
import type { WindowPeriod } from "../limits/window"
import type { BudgetStore, Millis, StoreCheck } from "../store/budget-store"
import type { StoreError } from "../store/store-error"
import type { StoredEntry, UsageEntry, UsageFilter } from "../usage/entry"
import type { UsageGroup, UsageTotals } from "../usage/ledger"
import type { BudgetExceededError } from "./errors"

/** A threshold of `alertAt` was crossed. One process detects each crossing; the alert is delivered at most once. */
export interface BudgetAlert extends LimitStatus {
  /** The fraction of `alertAt`. */
  threshold: number
  /** The value of the scope (user id, tag value …); null for `total`; undefined if this process does not know it. */
  value: string | null | undefined
  partition: string
}

/**
 * The charge of a reservation whose lease ends before it is settled or released: the whole amount, nothing, or the given
 * amount. A lease ends when its process ends, and in a living process when `maxLeaseMs` is over.
 */
export type OnExpire = "charge" | "release" | AmountInput

/**
 * How long to wait until the amount fits instead of being denied. Waits only for the reservations of other calls and
 * the end of a window; a call that cannot fit in time is denied immediately. The waiting calls of a process are served
 * in order of arrival, and wake when one of its calls ends; calls of other processes are noticed by polling, with a
 * delay that grows from 25 ms to 1 s.
 */
export interface WaitOptions {
  /** Maximum wait in milliseconds; 0 does not wait. */
  timeoutMs: number
  signal?: AbortSignal | undefined
}

export interface ReserveOptions {
  subject?: Subject | undefined
  /** Upper bound of what the call can cost. */
  amount: AmountInput
  /**
   * Your name for this reservation: the same key with the same content is the same reservation.
   * @defaultValue a random UUID
   */
  idempotencyKey?: string | undefined
  /** Limits of this call only, in addition to the budget's own. A list that is frozen with its limits is validated once. */
  limits?: readonly Limit[] | undefined
  /** How long the reservation lives without a heartbeat, in milliseconds; may exceed the store's retention. @defaultValue that of the budget */
  leaseMs?: number | undefined
  /** How long heartbeats extend the lease, in milliseconds. @defaultValue that of the budget */
  maxLeaseMs?: number | undefined
  /**
   * The key belongs to the first call that reserves it, regardless of its content: every other call throws a
   * ReservationHeldError, even once the key is resolved. `releaseUnanswered` is then true by default.
   * @defaultValue false
   */
  exclusive?: boolean | undefined
  wait?: WaitOptions | undefined
  signal?: AbortSignal | undefined
  /** @defaultValue that of the budget */
  onExpire?: OnExpire | undefined
  /** Fields of the usage entry that are known before the call is sent. The rest comes from subject and amount. */
  entry?: Partial<UsageEntry> | undefined
  /**
   * Releases the key in the background when the store does not reply to the reserve. Set it for a key of your own that no
   * other call uses, before or after; otherwise a reservation under such a key is left to its lease, because it may
   * belong to another call.
   * @defaultValue true without `idempotencyKey`, otherwise false
   */
  releaseUnanswered?: boolean | undefined
  /**
   * Called, in addition to the budget's own callback, when the charge of this call crosses a threshold of `alertAt` in
   * one of its limits.
   */
  onAlert?: ((alert: BudgetAlert) => void) | undefined
  /** Records a denial in the ledger (once per subject and minute, with a count). @defaultValue true */
  recordDenial?: boolean | undefined
}

/**
 * The outcome of a settle (`settled`) or a release (`released`). `pending`: the store did not confirm it, and it is sent again
 * in the background.
 */
export type SettleResult =
  | {
      status: "settled" | "released"
      /** The store had received the same settle or release before; nothing changed. */
      replayed: boolean
      /** The lease had expired; its charge was replaced by the actual cost, or refunded. */
      late: boolean
      /** The store had lost the reservation, or another caller of its key had released it. The cost was charged anyway. */
      recovered: boolean
      /** How much the charge exceeds the reservation. */
      overrunNanoUsd: NanoUsd
    }
  | { status: "pending"; error: StoreError }
  /** The key was resolved so long ago that the store has forgotten it; nothing was written. */
  | { status: "forgotten" }

export interface SettleOptions {
  /** 0 is the first actual cost; a higher revision replaces it. @defaultValue 0 */
  revision?: number | undefined
}

/** An amount that is reserved in all scopes. A heartbeat extends its lease until it is settled or released, or `maxLeaseMs` is over. */
export interface Reservation {
  readonly idempotencyKey: string
  readonly partition: string
  readonly amount: Amount
  /**
   * The status of every limit right after the reserve, in the order of `limits`. Of several limits with the same counter,
   * only the smallest is listed. Empty for a resumed reservation, and while the store is down.
   */
  readonly limits: readonly LimitStatus[]
  /** End of the lease by the store's clock; each heartbeat moves it. Null: the store is down, and `onStoreFailure` admitted the call. */
  readonly expiresAt: Millis | null
  /** The key was reserved before with the same content: another caller may be sending this call. */
  readonly replayed: boolean
  /**
   * Replaces the reservation with the actual cost, which may exceed it. A unit that was reserved and is not in `cost` is
   * charged in full, except that tokens are taken from `entry.tokens`. `entry` is any part of a usage entry; the rest
   * comes from the reserve, the subject and the cost. A settled reservation can be settled again with a higher `revision`.
   *
   * @throws SettleMismatchError if it was settled with other amounts, or released, before.
   */
  settle(cost: AmountInput, entry?: Partial<UsageEntry>, options?: SettleOptions): Promise<SettleResult>
  /** Undoes the reservation: nothing was sent. */
  release(entry?: Partial<UsageEntry>): Promise<SettleResult>
}

/** The limit for which a call waited. */
export type WaitedLimit = Pick<LimitStatus, "scope" | "window" | "unit">

/** How long a call waited until it fit, and for which limits. */
export interface ReserveWait {
  durationMs: number
  limits: readonly WaitedLimit[]
}

/** `wait` is absent if the call did not wait. */
export type ReserveResult = { wait?: ReserveWait | undefined } & (
  | { ok: true; reservation: Reservation }
  | { ok: false; error: BudgetExceededError }
)

export interface RunOptions extends ReserveOptions {
  /**
   * The charge when the function throws: the reserved amount, because the call may have been billed; nothing; or what this
   * callback returns for the error. @defaultValue "charge"
   */
  onError?: "charge" | "release" | ((error: unknown) => AmountInput | "charge" | "release") | undefined
}

/** What the function of `run` returns: its value and what it cost. */
export interface RunOutcome<T> {
  value: T
  cost: AmountInput
  entry?: Partial<UsageEntry> | undefined
}

export type RunResult<T> = { ok: true; value: T; settlement: SettleResult } | { ok: false; error: BudgetExceededError }

/** The limit that a top-up or a reset changes. `per` is needed only if the scope has several windows. */
export interface LimitTarget {
  subject?: Subject | undefined
  scope: Scope
  per?: WindowPeriod | undefined
  /** Applied once per key. @defaultValue a random UUID */
  idempotencyKey?: string | undefined
}

export interface CorrectOptions {
  /** The entry to correct, as `usage.get` or `usage.list` returned it. */
  entry: StoredEntry
  /** The actual cost. Units that are not given keep their charge. */
  cost: AmountInput
  /** Fields of the entry to replace, such as `costSource`. */
  changes?: Partial<UsageEntry> | undefined
  /** @defaultValue one more than the entry's */
  revision?: number | undefined
  subject?: Subject | undefined
}

/**
 * `corrected`: counters and entry were corrected. `adjusted`: the store has forgotten the key, so only the counters whose
 * window is open were corrected. `unchanged`: the same correction was made before.
 */
export type Correction = { status: "corrected" | "adjusted" | "unchanged" }

/**
 * What to do while the store is down: deny calls (fail closed), or admit calls up to this amount per process and charge
 * them when the store is back.
 */
export type OnStoreFailure = "deny" | { allowUpTo: AmountInput }

export interface BudgetOptions {
  store: BudgetStore
  /** One partition is one shard and one ledger: a name, or a function of the subject (a tenant). @defaultValue "main" */
  partition?: string | ((subject: Subject) => string) | undefined
  limits: Limits
  /** @defaultValue "charge" */
  onExpire?: OnExpire | undefined
  /** How long a reservation lives without a heartbeat, in milliseconds; one is sent every third of it. @defaultValue 60000 */
  leaseMs?: number | undefined
  /** How long heartbeats extend a lease, in milliseconds. @defaultValue 900000 */
  maxLeaseMs?: number | undefined
  /** @defaultValue "deny" */
  onStoreFailure?: OnStoreFailure | undefined
  onAlert?: ((alert: BudgetAlert) => void) | undefined
  /** Receives the warnings of `store.check()`, and errors of background work. @defaultValue console.warn */
  onWarning?: ((message: string, cause?: unknown) => void) | undefined
}

export interface CloseOptions {
  /** Maximum wait for pending settlements, in milliseconds. @defaultValue 5000 */
  timeoutMs?: number | undefined
  /** Leaves the store open, for example because others use it. @defaultValue false */
  keepStore?: boolean | undefined
}

/** Spending limits that are enforced through a store. Created by `createBudget`. */
export interface Budget {
  readonly store: BudgetStore
  /** The usage ledger: what each attempt cost, if the store keeps one. */
  readonly usage: BudgetUsage
  /** How many settles and releases the store has not confirmed yet. */
  readonly pending: number
  /** The name of a subject's partition in the store. */
  partitionOf(subject?: Subject): string
  /**
   * Sets the amount aside in every scope, or in none.
   * @throws StoreError if the store fails: nothing is admitted. AbortedError if a signal fires.
   */
  reserve(options: ReserveOptions): Promise<ReserveResult>
  /**
   * Reserves, calls, settles. Rejects with what the function throws, after charging as `onError` says.
   * @throws ReservationHeldError if another caller has reserved the given key; ReservationResolvedError if it is resolved. The
   * function is not called in either case: one key is one call.
   */
  run<T>(options: RunOptions, call: (reservation: Reservation) => Promise<RunOutcome<T>>): Promise<RunResult<T>>
  /**
   * Takes over a reservation of another process, or of this one before a restart, to settle or release it here. Heartbeats
   * of this process extend its lease from now on.
   * @throws UnknownReservationError if the store has no reservation with the key; ReservationResolvedError if it is resolved.
   */
  resume(idempotencyKey: string, options?: { subject?: Subject | undefined }): Promise<Reservation>
  /** The status of every limit of this subject, in the order of `limits`. Limits whose scope the subject lacks are omitted. */
  status(subject?: Subject, options?: { limits?: readonly Limit[] | undefined }): Promise<LimitStatus[]>
  /** Adds to a limit for its current window. */
  topUp(target: LimitTarget & { amount: AmountInput }): Promise<LimitStatus[]>
  /** Sets the spent amount of the current window to zero. Reservations stay. */
  reset(target: LimitTarget): Promise<LimitStatus[]>
  /** Replaces the charge of a settled attempt, from any process. */
  correct(options: CorrectOptions): Promise<Correction>
  /**
   * The same budget with one more limit, for example for one agent run. The limit has its own counter and reserves
   * nothing in advance. `close` of a child flushes, and does not close the store and the parent.
   */
  child(options: { limit: Exclude<Limit["limit"], null>; id?: string | undefined }): Budget
  /**
   * Expires reservations whose lease has ended, at most `max` (default 2048). `reserve` and `status` start this in the
   * background when they find such reservations. A partition without calls is not swept: its reservations stay reserved
   * until the next call, or until you call `sweep`.
   */
  sweep(options?: {
    subject?: Subject | undefined
    max?: number | undefined
  }): Promise<{ expired: number; more: boolean }>
  /** Checks that the store is configured safely. Runs automatically on first use. Warnings go to `onWarning`. */
  check(options?: { subject?: Subject | undefined }): Promise<StoreCheck>
  /** Makes windows follow the store's clock again after the clock was corrected. Recorded in the ledger (`audit`). */
  acceptClock(options?: { subject?: Subject | undefined }): Promise<{ now: Millis; before: Millis }>
  /** Waits until nothing is pending. Resolves to true if everything was confirmed in time. */
  flush(options?: { timeoutMs?: number | undefined }): Promise<boolean>
  /** Flushes, stops heartbeats and closes the store. Later reserves reject; later settles are sent once. */
  close(options?: CloseOptions): Promise<void>
}

/** Selects the ledger of the subject's partition. @defaultValue the partition of an empty subject */
export interface UsagePartition {
  subject?: Subject | undefined
}

export interface UsageListQuery extends UsagePartition {
  filter?: UsageFilter | undefined
  cursor?: string | null | undefined
  /** Maximum number of entries in the page, 1 to 1000. @defaultValue 100 */
  limit?: number | undefined
  /** @defaultValue "oldest" */
  order?: "oldest" | "newest" | undefined
}

export interface UsageTotalsQuery extends UsagePartition {
  filter?: UsageFilter | undefined
  /** @defaultValue [] */
  groupBy?: readonly Exclude<UsageGroup, "bucket">[] | undefined
  /**
   * Split by time as well: the start of the period becomes the first value of `group`. Uses `filter.from` and `filter.to`,
   * by default the last 92 periods until now. At most 10,000 periods, not counting those before the first entry.
   */
  per?: Exclude<WindowPeriod, "total"> | undefined
  /** @defaultValue "UTC" */
  timeZone?: string | undefined
  /** `group`: by time, then by the values of the group, null last. The others: largest first. @defaultValue "group" */
  orderBy?: "group" | "costNanoUsd" | "requests" | "attempts" | undefined
  /** Maximum number of rows. @defaultValue all */
  limit?: number | undefined
}

/** The usage ledger of a budget. Every member throws a `NoLedgerError` if the store keeps no ledger, except `record` and `recordDenial`. */
export interface BudgetUsage {
  /** Whether the store keeps a ledger. */
  readonly available: boolean
  /** Every attempt of a request, in order. */
  get(requestId: string, options?: UsagePartition): Promise<StoredEntry[]>
  /** A page of entries. Entries that are written meanwhile do not cause others to be skipped or repeated. */
  list(query?: UsageListQuery): Promise<{ entries: StoredEntry[]; cursor: string | null; dropped: number }>
  /** Exact sums, by group and by time. */
  totals(query?: UsageTotalsQuery): Promise<UsageTotals[]>
  /** Every matching entry as one line of JSON, oldest first. */
  export(filter?: UsageFilter, options?: UsagePartition): AsyncIterableIterator<string>
  /** Removes entries written before this instant (epoch milliseconds). */
  prune(before: Date | number, options?: UsagePartition): Promise<{ removed: number }>
  /** Writes an entry without money. Resolves to false if the store keeps no ledger. */
  record(idempotencyKey: string, entry: UsageEntry, options?: UsagePartition): Promise<boolean>
  /**
   * Records a denial: once per subject and minute, with a count, so that a caller who retries cannot fill the ledger.
   * `reserve` does this by itself unless `recordDenial` is false. Resolves to false if the store keeps no ledger.
   */
  recordDenial(entry: Partial<UsageEntry>, options?: UsagePartition): Promise<boolean>
}
