import type { NanoUsd } from "@p2/core"
import type { BudgetExceededError } from "./budget-exceeded-error"
import type { StoredEntry, UsageDraft, UsageEntry } from "./ledger"
import type { Limit, Limits, WindowPeriod } from "./limit"
import type { BudgetStore, Millis, StoreCheck } from "./store"
import type { StoreError } from "./store-error"
import type { Scope, Subject, Unit } from "./subject"
import type { BudgetUsage } from "./usage-queries"

/** An amount as callers write it. Dollars as `usd` (`0.05`, `"0.05"`) or as integer `nanoUsd`, never both. */
export interface AmountInput {
  usd?: number | string | undefined
  nanoUsd?: NanoUsd | undefined
  tokens?: number | undefined
  /** @defaultValue 1 */
  requests?: number | undefined
}

/** An amount, unit by unit; undefined where none was given. */
export interface Amount {
  nanoUsd: NanoUsd | undefined
  tokens: number | undefined
  requests: number
}

/** Where one limit stands. */
export interface LimitStatus {
  scope: Scope
  window: WindowPeriod
  /** Null for `total` and fixed lengths. */
  timeZone: string | null
  unit: Unit
  /** Null: only counted. */
  limit: number | null
  /** Topped up in this window. */
  granted: number
  spent: number
  reserved: number
  /** limit + granted − spent − reserved; negative after overruns; null without a limit. */
  remaining: number | null
  startsAt: Millis | null
  /** Null: the window never ends. */
  resetsAt: Millis | null
}

/** A threshold of `alertAt` that was passed. Decided once per window over all processes, delivered at most once. */
export interface BudgetAlert extends LimitStatus {
  /** The fraction of `alertAt`. */
  threshold: number
  /** The value of the scope (user id, tag value …) where this process knows it; null for `total`. */
  value: string | null | undefined
  root: string
}

/** What is charged when a process dies while it holds a reservation: the bound, the `floor` given in reserve, or nothing. */
export type OnExpire = "charge" | "floor" | "release"

/** How long to queue for room instead of being refused. */
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
   * Your name for this reservation: the same id with the same content is the same reservation.
   * @defaultValue a random UUID
   */
  id?: string | undefined
  /** Limits of this call alone, beside the budget's own. */
  limits?: readonly Limit[] | undefined
  wait?: WaitOptions | undefined
  signal?: AbortSignal | undefined
  /** @defaultValue that of the budget */
  onExpire?: OnExpire | undefined
  /** With `onExpire: "floor"`: what is certainly billed, such as the input. */
  floor?: AmountInput | undefined
  /** Becomes the usage entry when the lease runs out. */
  draft?: UsageDraft | undefined
}

/** How a settle or release went. `pending`: the store did not confirm, it is tried again in the background. */
export type Settlement =
  | {
      status: "settled"
      /** Nothing changed: the same settle had arrived before. */
      replayed: boolean
      /** The lease had run out; its charge was replaced by the truth. */
      late: boolean
      /** The store had lost the reservation, never saw it, or another caller of its id released it; charged all the same. */
      recovered: boolean
      /** What was charged beyond what was reserved. */
      overrunNanoUsd: NanoUsd
    }
  | { status: "pending"; error: StoreError }
  /** The id was resolved so long ago that the store has forgotten it; nothing was applied. */
  | { status: "forgotten" }

export interface SettleOptions {
  /** 0 is the first truth; a higher one replaces it. @defaultValue 0 */
  revision?: number | undefined
  /** How the attempt ended, for the ledger, when no entry says so. @defaultValue "succeeded" */
  status?: "succeeded" | "failed" | undefined
}

/** Money set aside in every scope at once. A heartbeat keeps its lease until it is settled, released, or `maxHoldMs` is over. */
export interface Reservation {
  readonly id: string
  readonly root: string
  readonly amount: Amount
  /** Every cell as it stood right after the reserve, with the smallest of its limits, in the order of `limits`. */
  readonly cells: readonly LimitStatus[]
  /** End of the lease by the store's clock; moves with each heartbeat. Null: the store is down and `onStoreFailure` admitted it. */
  readonly expiresAt: Millis | null
  /** The id was held before with the same content: somebody else may be sending this call. */
  readonly replayed: boolean
  /**
   * Replaces the reservation by what the call really cost. A unit that was reserved and is not given here is charged in
   * full, except that tokens are taken from `entry`. May be more than was reserved. A settled reservation can be settled
   * again with a higher `revision`.
   *
   * @throws SettleMismatchError when it was settled otherwise, or you released it before.
   */
  settle(cost: AmountInput, entry?: UsageEntry, options?: SettleOptions): Promise<Settlement>
  /** Gives everything back: nothing was sent. */
  release(entry?: UsageEntry): Promise<Settlement>
}

export type ReserveOutcome = { ok: true; reservation: Reservation } | { ok: false; error: BudgetExceededError }

export interface RunOptions extends ReserveOptions {
  /**
   * What is charged when the function throws: the bound, since the call may have been billed; nothing; or what a function
   * of the error says. @defaultValue "charge"
   */
  onError?: "charge" | "release" | ((error: unknown) => AmountInput | "charge" | "release") | undefined
}

/** What a guarded function returns: its value and what it cost. */
export interface RunResult<T> {
  value: T
  cost: AmountInput
  entry?: UsageEntry | undefined
}

export type RunOutcome<T> = { ok: true; value: T; settlement: Settlement } | { ok: false; error: BudgetExceededError }

/** Which limit a top-up or a reset means. `per` only when the scope has several windows. */
export interface LimitTarget {
  subject?: Subject | undefined
  scope: Scope
  per?: WindowPeriod | undefined
  /** Exactly once per id. @defaultValue a random UUID */
  id?: string | undefined
}

export interface CorrectOptions {
  /** The entry to correct, as `usage.get` or `usage.list` returned it. */
  entry: StoredEntry
  /** The truth. Units that are not given keep their charge. */
  cost: AmountInput
  /** Fields of the entry to replace, such as `costSource`. */
  changes?: Partial<UsageEntry> | undefined
  /** @defaultValue one more than the entry's */
  revision?: number | undefined
  subject?: Subject | undefined
}

/**
 * `corrected`: cells and entry. `adjusted`: the store has forgotten the id, so only the cells whose window is open were
 * corrected. `unchanged`: this or a higher revision was there.
 */
export type Correction = { status: "corrected" | "adjusted" | "unchanged" }

/** What to do while the store is down. Refuse (the default), or admit this much per process, to be charged when it is back. */
export type OnStoreFailure = "refuse" | { allowUpTo: AmountInput }

export interface BudgetOptions {
  store: BudgetStore
  /** One root is one shard and one ledger: a name, or a function of the subject (a tenant). @defaultValue "main" */
  root?: string | ((subject: Subject) => string) | undefined
  limits: Limits
  /** @defaultValue "charge" */
  onExpire?: OnExpire | undefined
  /** How long a reservation lives without a heartbeat. @defaultValue 60000 */
  leaseMs?: number | undefined
  /** How long heartbeats go on. @defaultValue 900000 */
  maxHoldMs?: number | undefined
  /** How long the store may take to answer. @defaultValue 500 */
  storeTimeoutMs?: number | undefined
  /** @defaultValue "refuse" */
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
  /** The root of a subject, as the store knows it. */
  rootOf(subject?: Subject): string
  /**
   * Sets the amount aside in every scope, or in none. A refusal leaves no trace: whoever wants it in the ledger writes it
   * with `usage.record`, since only the caller knows whether it is the end of a call or one of several tries.
   * @throws StoreError when the store is broken: nothing is admitted. AbortedError when a signal fires.
   */
  reserve(options: ReserveOptions): Promise<ReserveOutcome>
  /**
   * Reserves, calls, settles. Rejects with what the function throws, after charging as `onError` says.
   * @throws ReservationHeldError when another caller holds the given `id`; ReservationResolvedError when it is over. The
   * function is not called then: one id is one call.
   */
  run<T>(options: RunOptions, call: (reservation: Reservation) => Promise<RunResult<T>>): Promise<RunOutcome<T>>
  /** Where every limit of this subject stands, in the order of `limits`. Limits whose scope the subject lacks are left out. */
  status(subject?: Subject, options?: { limits?: readonly Limit[] | undefined }): Promise<LimitStatus[]>
  /** Adds to a limit for its current window. */
  topUp(target: LimitTarget & { amount: AmountInput }): Promise<LimitStatus[]>
  /** Sets what was spent in the current window to zero. What is reserved stays. */
  reset(target: LimitTarget): Promise<LimitStatus[]>
  /** Charges an attempt otherwise than it was settled, from any process. */
  correct(options: CorrectOptions): Promise<Correction>
  /**
   * The same budget with one more limit, for one agent run: a cell of its own, no money set aside. Its `close` flushes and
   * leaves the store and the budget that it was made of open.
   */
  child(options: { limit: Exclude<Limit["limit"], null>; id?: string | undefined }): Budget
  /** Ends reservations whose owner is gone. Reserves do this by themselves, a few at a time. */
  sweep(options?: {
    subject?: Subject | undefined
    max?: number | undefined
  }): Promise<{ expired: number; more: boolean }>
  /** Asks the store whether it is set up for money. Runs by itself on first use; warnings go to `onWarning`. */
  check(): Promise<StoreCheck>
  /** Waits until nothing is pending. True when all was confirmed in time. */
  flush(options?: { timeoutMs?: number | undefined }): Promise<boolean>
  /** Flushes, stops heartbeats and closes the store. Later reserves reject, and later settles are tried once. */
  close(options?: CloseOptions): Promise<void>
}
