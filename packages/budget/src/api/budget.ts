import type { NanoUsd } from "@p2/core"
import type { Amount, AmountInput } from "../limits/amount"
import type { Limit, Limits, WindowPeriod } from "../limits/limit"
import type { LimitStatus } from "../limits/limit-status"
import type { Scope, Subject } from "../limits/subject"
import type { BudgetStore, Millis, StoreCheck } from "../store/budget-store"
import type { StoreError } from "../store/store-error"
import type { StoredEntry, UsageEntry } from "../usage/entry"
import type { BudgetExceededError } from "./budget-exceeded-error"
import type { BudgetUsage } from "./budget-usage"

/** A threshold of `alertAt` was crossed. Decided once per window over all processes, delivered at most once. */
export interface BudgetAlert extends LimitStatus {
  /** The fraction of `alertAt`. */
  threshold: number
  /** The value of the scope (user id, tag value …) where this process knows it; null for `total`. */
  value: string | null | undefined
  partition: string
}

/** What is charged when a process ends while it holds a reservation: all of it, nothing, or this amount. */
export type OnExpire = "charge" | "release" | AmountInput

/** How long to wait for room instead of being denied. */
export interface WaitOptions {
  /** Most milliseconds to wait; 0 does not wait. */
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
  /** Limits of this call alone, beside the budget's own. */
  limits?: readonly Limit[] | undefined
  /** How long the reservation lives without a heartbeat, in milliseconds; may exceed the store's retention. @defaultValue that of the budget */
  leaseMs?: number | undefined
  /** How long heartbeats go on, in milliseconds. @defaultValue that of the budget */
  maxLeaseMs?: number | undefined
  wait?: WaitOptions | undefined
  signal?: AbortSignal | undefined
  /** @defaultValue that of the budget */
  onExpire?: OnExpire | undefined
  /** What is known of the attempt before it is sent: part of its usage entry. The rest comes from subject and amount. */
  entry?: Partial<UsageEntry> | undefined
  /** Records a denial in the ledger (once per subject and minute, with a count). @defaultValue true */
  recordDenial?: boolean | undefined
}

/** How a settle or release went. `pending`: the store did not confirm; it is sent again in the background. */
export type Settlement =
  | {
      status: "settled"
      /** Nothing changed: the same settle had arrived before. */
      replayed: boolean
      /** The lease had expired; its charge was replaced by the actual cost. */
      late: boolean
      /** The store had lost the reservation, or another caller of its key released it; charged all the same. */
      recovered: boolean
      /** What was charged beyond what was reserved. */
      overrunNanoUsd: NanoUsd
    }
  | { status: "pending"; error: StoreError }
  /** The key was resolved so long ago that the store has forgotten it; nothing was written. */
  | { status: "forgotten" }

export interface SettleOptions {
  /** 0 is the first actual cost; a higher one replaces it. @defaultValue 0 */
  revision?: number | undefined
}

/** An amount set aside in every scope at once. A heartbeat keeps its lease until it is settled, released, or `maxLeaseMs` is over. */
export interface Reservation {
  readonly idempotencyKey: string
  readonly partition: string
  readonly amount: Amount
  /**
   * Every limit as it stood right after the reserve, in the order of `limits`; of limits with the same counter the
   * smallest. Empty of a resumed reservation, and while the store is down.
   */
  readonly limits: readonly LimitStatus[]
  /** End of the lease by the store's clock; moves with each heartbeat. Null: the store is down and `onStoreFailure` admitted it. */
  readonly expiresAt: Millis | null
  /** The key was reserved before with the same content: another caller may be sending this call. */
  readonly replayed: boolean
  /**
   * Replaces the reservation by the actual cost, which may exceed it. A unit that was reserved and is not in `cost` is
   * charged in full, except that tokens are taken from `entry.tokens`. `entry` is any part of a usage entry; the rest
   * comes from the reserve, the subject and the cost. A settled reservation can be settled again with a higher `revision`.
   *
   * @throws SettleMismatchError when it was settled otherwise, or you released it before.
   */
  settle(cost: AmountInput, entry?: Partial<UsageEntry>, options?: SettleOptions): Promise<Settlement>
  /** Undoes the reservation: nothing was sent. */
  release(entry?: Partial<UsageEntry>): Promise<Settlement>
}

export type ReserveResult = { ok: true; reservation: Reservation } | { ok: false; error: BudgetExceededError }

export interface RunOptions extends ReserveOptions {
  /**
   * What is charged when the function throws: the reserved amount, since the call may have been billed; nothing; or what a
   * function of the error returns. @defaultValue "charge"
   */
  onError?: "charge" | "release" | ((error: unknown) => AmountInput | "charge" | "release") | undefined
}

/** What a guarded function returns: its value and what it cost. */
export interface RunOutcome<T> {
  value: T
  cost: AmountInput
  entry?: Partial<UsageEntry> | undefined
}

export type RunResult<T> = { ok: true; value: T; settlement: Settlement } | { ok: false; error: BudgetExceededError }

/** Which limit a top-up or a reset is for. `per` only when the scope has several windows. */
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
 * `corrected`: counters and entry. `adjusted`: the store has forgotten the key, so only the counters whose window is open
 * were corrected. `unchanged`: the same correction was made before.
 */
export type Correction = { status: "corrected" | "adjusted" | "unchanged" }

/** What to do while the store is down: deny (fail closed), or admit this much per process, to be charged when it is back. */
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
  /** How long heartbeats go on, in milliseconds. @defaultValue 900000 */
  maxLeaseMs?: number | undefined
  /** @defaultValue "deny" */
  onStoreFailure?: OnStoreFailure | undefined
  onAlert?: ((alert: BudgetAlert) => void) | undefined
  /** Receives what `store.check()` warns of, and errors that no call can carry. @defaultValue console.warn */
  onWarning?: ((message: string, cause?: unknown) => void) | undefined
}

export interface CloseOptions {
  /** Most milliseconds to wait for pending settlements. @defaultValue 5000 */
  timeoutMs?: number | undefined
  /** Leave the store open, because others use it. @defaultValue false */
  keepStore?: boolean | undefined
}

/** Limits over a store. Made by `createBudget`. */
export interface Budget {
  readonly store: BudgetStore
  /** What was spent, attempt by attempt, where the store keeps a ledger. */
  readonly usage: BudgetUsage
  /** Settlements and releases that the store has not confirmed yet. */
  readonly pending: number
  /** The partition of a subject, as the store knows it. */
  partitionOf(subject?: Subject): string
  /**
   * Sets the amount aside in every scope, or in none.
   * @throws StoreError when the store is broken: nothing is admitted. AbortedError when a signal fires.
   */
  reserve(options: ReserveOptions): Promise<ReserveResult>
  /**
   * Reserves, calls, settles. Rejects with what the function throws, after charging as `onError` says.
   * @throws ReservationHeldError when another caller holds the given key; ReservationResolvedError when it is resolved. The
   * function is not called then: one key is one call.
   */
  run<T>(options: RunOptions, call: (reservation: Reservation) => Promise<RunOutcome<T>>): Promise<RunResult<T>>
  /**
   * A reservation that another process, or this one before a restart, holds: to settle or release it here. Heartbeats go
   * on from here.
   * @throws UnknownReservationError when no reservation is known under the key; ReservationResolvedError when it is resolved.
   */
  resume(idempotencyKey: string, options?: { subject?: Subject | undefined }): Promise<Reservation>
  /** Where every limit of this subject stands, in the order of `limits`. Limits whose scope the subject lacks are left out. */
  status(subject?: Subject, options?: { limits?: readonly Limit[] | undefined }): Promise<LimitStatus[]>
  /** Adds to a limit for its current window. */
  topUp(target: LimitTarget & { amount: AmountInput }): Promise<LimitStatus[]>
  /** Sets what was spent in the current window to zero. What is reserved stays. */
  reset(target: LimitTarget): Promise<LimitStatus[]>
  /** Charges an attempt otherwise than it was settled, from any process. */
  correct(options: CorrectOptions): Promise<Correction>
  /**
   * The same budget with one more limit, for one agent run: a counter of its own, no money set aside. Its `close` flushes
   * and leaves the store and the parent open.
   */
  child(options: { limit: Exclude<Limit["limit"], null>; id?: string | undefined }): Budget
  /** Expires reservations whose owner is gone, at most `max` (default 2048). Reserves and denials start this by themselves. */
  sweep(options?: {
    subject?: Subject | undefined
    max?: number | undefined
  }): Promise<{ expired: number; more: boolean }>
  /** Asks the store whether it is set up for money. Runs by itself on first use; warnings go to `onWarning`. */
  check(options?: { subject?: Subject | undefined }): Promise<StoreCheck>
  /** After a wrong server clock was mended: lets windows follow the present clock again. Recorded in the ledger (audit). */
  acceptClock(options?: { subject?: Subject | undefined }): Promise<{ now: Millis; before: Millis }>
  /** Waits until nothing is pending. True when all was confirmed in time. */
  flush(options?: { timeoutMs?: number | undefined }): Promise<boolean>
  /** Flushes, stops heartbeats and closes the store. Later reserves reject, and later settles are tried once. */
  close(options?: CloseOptions): Promise<void>
}
