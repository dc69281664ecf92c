import { type ErrorKind, formatUsd, type NanoUsd, P2Error, plural } from "@p2/core"
import type { LimitStatus } from "../limits/limit-status"
import type { Scope } from "../limits/subject"
import type { WindowPeriod } from "../limits/window"
import { formatInstant } from "../limits/window"
import type { FinalState, Millis } from "../store/budget-store"
import { StoreError } from "../store/store-error"

/** Every error class of this package. Narrowing by `code` gives the fields. */
export type BudgetError =
  | StoreError
  | IdempotencyKeyMismatchError
  | ReservationHeldError
  | ReservationResolvedError
  | UnknownReservationError
  | BudgetExceededError
  | SettleMismatchError
  | NoLedgerError

export type BudgetErrorCode = BudgetError["code"]

const CODES: ReadonlySet<string> = new Set<Exclude<BudgetErrorCode, StoreError["code"]>>([
  "idempotency-key-mismatch",
  "reservation-held",
  "reservation-resolved",
  "unknown-reservation",
  "budget-exceeded",
  "settle-mismatch",
  "no-ledger",
])

/**
 * Whether `value` is an error of this package. Works across copies of the package.
 *
 * @example
 * if (isBudgetError(error) && error.code === "reservation-resolved") console.log(error.state)
 */
export function isBudgetError(value: unknown): value is BudgetError {
  return StoreError.isInstance(value) || (P2Error.isInstance(value) && CODES.has(value.code))
}

/** Whether a value is the error with this code, from any copy of the package. */
function hasCode<Class extends P2Error>(code: BudgetErrorCode): (value: unknown) => value is Class {
  return (value): value is Class => P2Error.isInstance(value) && value.code === code
}

/** An error about one reservation. */
class ReservationError<Code extends BudgetErrorCode> extends P2Error<Code> {
  readonly idempotencyKey: string

  constructor(idempotencyKey: string, code: Code, kind: ErrorKind, message: string) {
    super(message, { code, kind })
    this.idempotencyKey = idempotencyKey
  }
}

/** The key was already reserved with different content. Code `idempotency-key-mismatch`. */
export class IdempotencyKeyMismatchError extends ReservationError<"idempotency-key-mismatch"> {
  constructor(idempotencyKey: string) {
    const message = `The idempotency key "${idempotencyKey}" was already reserved with a different amount, limits or \`onExpire\`. Use a new key for each call.`
    super(idempotencyKey, "idempotency-key-mismatch", "usage", message)
  }

  static override readonly isInstance = hasCode<IdempotencyKeyMismatchError>("idempotency-key-mismatch")
}

/**
 * Another caller has reserved the key that was passed to `run`, and may be sending the call. Code `reservation-held`. Once
 * that lease has expired, the key is resolved: a call that may have been sent is not sent again.
 */
export class ReservationHeldError extends ReservationError<"reservation-held"> {
  constructor(idempotencyKey: string) {
    const message = `The reservation "${idempotencyKey}" belongs to another caller, which may be sending the call, so the call was not sent. Wait for that caller, or use a new key.`
    super(idempotencyKey, "reservation-held", "failed", message)
  }

  static override readonly isInstance = hasCode<ReservationHeldError>("reservation-held")
}

/** The reservation was settled or released, or its lease has expired. Code `reservation-resolved`. */
export class ReservationResolvedError extends ReservationError<"reservation-resolved"> {
  readonly state: FinalState

  constructor(idempotencyKey: string, state: FinalState) {
    const message = `The reservation "${idempotencyKey}" is already ${state}. Do not send its call again, or reserve with a new key.`
    super(idempotencyKey, "reservation-resolved", "failed", message)
    this.state = state
  }

  static override readonly isInstance = hasCode<ReservationResolvedError>("reservation-resolved")
}

/** The store has no reservation with the key that was passed to `resume`: it was never made, or was resolved long ago. Code `unknown-reservation`. */
export class UnknownReservationError extends ReservationError<"unknown-reservation"> {
  constructor(idempotencyKey: string) {
    const message = `The store has no reservation with the idempotency key "${idempotencyKey}". It was never made, was made in another partition (pass its \`subject\`), or was resolved long ago.`
    super(idempotencyKey, "unknown-reservation", "failed", message)
  }

  static override readonly isInstance = hasCode<UnknownReservationError>("unknown-reservation")
}

/** A reservation was settled twice with different amounts, or settled after it was released. Code `settle-mismatch`. */
export class SettleMismatchError extends ReservationError<"settle-mismatch"> {
  constructor(idempotencyKey: string, outcome: "settled" | "released") {
    const message =
      outcome === "settled"
        ? `The reservation "${idempotencyKey}" was already released, or settled with other amounts. Settle once; to replace the cost, settle with a higher \`revision\`.`
        : `The reservation "${idempotencyKey}" is already settled, so it cannot be released. To change its cost, settle with a higher \`revision\`.`
    super(idempotencyKey, "settle-mismatch", "usage", message)
  }

  static override readonly isInstance = hasCode<SettleMismatchError>("settle-mismatch")
}

/** The store keeps no usage ledger. Code `no-ledger`. */
export class NoLedgerError extends P2Error<"no-ledger"> {
  constructor(store: string) {
    super(`The store "${store}" keeps no usage ledger. Use a store that does, such as memoryStore() or redisStore().`, {
      code: "no-ledger",
      kind: "usage",
    })
  }

  static override readonly isInstance = hasCode<NoLedgerError>("no-ledger")
}

/** A limit that denied a call. Amounts as in {@link LimitStatus}. */
export interface DeniedLimit extends LimitStatus {
  limit: number
  remaining: number
  requested: number
  requestedNanoUsd: NanoUsd | null
  /** Milliseconds after which the call may fit; null: it does not fit until the limit is topped up or raised. */
  retryAfterMs: number | null
}

/** The budget denied the call: code `budget-exceeded`. Nothing was reserved. The fields describe the first limit in `all`. */
export class BudgetExceededError extends P2Error<"budget-exceeded"> {
  declare readonly scope: Scope
  declare readonly window: WindowPeriod
  declare readonly unit: LimitStatus["unit"]
  declare readonly limit: number
  declare readonly granted: number
  declare readonly spent: number
  declare readonly reserved: number
  declare readonly requested: number
  declare readonly remaining: number
  declare readonly limitNanoUsd: NanoUsd | null
  declare readonly grantedNanoUsd: NanoUsd | null
  declare readonly spentNanoUsd: NanoUsd | null
  declare readonly reservedNanoUsd: NanoUsd | null
  declare readonly requestedNanoUsd: NanoUsd | null
  declare readonly remainingNanoUsd: NanoUsd | null
  declare readonly startsAt: Millis | null
  /** Start of the next window by the store's clock; null: the window never ends. */
  declare readonly resetsAt: Millis | null
  /** Milliseconds after which the call may fit; null: it does not fit until the limit is topped up or raised. */
  declare readonly retryAfterMs: number | null
  /** Whether reservations whose lease has ended still wait to be expired. The call may fit afterwards. */
  readonly dueLeases: boolean
  /**
   * Whether only the reservations of other calls prevent the call, in every limit: the call fits if they end without
   * spending their amounts, and `wait` waits for that.
   */
  readonly busy: boolean
  /** Every limit that denied the call, the one with the longest wait first. */
  readonly all: readonly DeniedLimit[]

  constructor(all: readonly [DeniedLimit, ...DeniedLimit[]], options: { dueLeases?: boolean | undefined } = {}) {
    super(describeDenial(all), { code: "budget-exceeded", kind: "denied" })
    const { timeZone: _timeZone, ...first } = all[0]
    Object.assign(this, first)
    this.dueLeases = options.dueLeases ?? false
    this.busy = all.every(fitsAfterReleases)
    this.all = all
  }

  static override readonly isInstance = hasCode<BudgetExceededError>("budget-exceeded")
}

function describeDenial(all: readonly [DeniedLimit, ...DeniedLimit[]]): string {
  const [first] = all
  const others = all.length - 1
  const more = others === 0 ? "" : ` ${others} more ${others === 1 ? "limit denies" : "limits deny"} it.`
  return (
    `Budget exceeded (${nameOf(first.scope)}, ${first.window}): requested ${show(first, "requested")}, ` +
    `remaining ${show(first, "remaining")} of ${total(first)}. ${whatToDo(first)}${more}`
  )
}

function whatToDo(limit: DeniedLimit): string {
  if (limit.retryAfterMs === null) {
    const fits = limit.requested <= limit.limit
    if (fits) return "Waiting does not help: top up or raise the limit."
    return "The amount is larger than the limit: lower the amount, top up or raise the limit."
  }
  const isReset = limit.resetsAt !== null
  const resets = isReset ? `Resets ${formatInstant(limit.resetsAt!, limit.timeZone ?? "UTC")}.` : ""
  if (!fitsAfterReleases(limit)) return resets
  return `${show(limit, "reserved")} is reserved by other calls: retry when they end.${isReset ? ` ${resets}` : ""}`
}

/** Whether the call would fit if all other calls released their reservations. */
export function fitsAfterReleases(limit: DeniedLimit): boolean {
  if (limit.unit !== "usd") return limit.requested <= limit.limit + limit.granted - limit.spent
  return limit.requestedNanoUsd! <= limit.limitNanoUsd! + limit.grantedNanoUsd! - limit.spentNanoUsd!
}

function total(limit: DeniedLimit): string {
  if (limit.granted === 0) return show(limit, "limit")
  return `${show(limit, "limit")} plus ${show(limit, "granted")} topped up`
}

function show(limit: DeniedLimit, field: "requested" | "remaining" | "limit" | "granted" | "reserved"): string {
  if (limit.unit === "usd") return formatUsd(limit[`${field}NanoUsd`]!)
  return plural(limit[field], limit.unit === "tokens" ? "token" : "request")
}

function nameOf(scope: Scope): string {
  if (typeof scope === "string") return scope
  return "tag" in scope ? `tag ${JSON.stringify(scope.tag.slice(0, 60))}` : "child"
}
