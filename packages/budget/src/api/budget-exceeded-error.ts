import { formatUsd, type NanoUsd, P2Error, plural } from "@p2/core"
import { formatInstant } from "../limits/calendar"
import type { WindowPeriod } from "../limits/limit"
import type { LimitStatus } from "../limits/limit-status"
import type { Scope } from "../limits/subject"
import type { Millis } from "../store/name"

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
  readonly scope: Scope
  readonly window: WindowPeriod
  readonly unit: LimitStatus["unit"]
  readonly limit: number
  readonly granted: number
  readonly spent: number
  readonly reserved: number
  readonly requested: number
  readonly remaining: number
  readonly limitNanoUsd: NanoUsd | null
  readonly grantedNanoUsd: NanoUsd | null
  readonly spentNanoUsd: NanoUsd | null
  readonly reservedNanoUsd: NanoUsd | null
  readonly requestedNanoUsd: NanoUsd | null
  readonly remainingNanoUsd: NanoUsd | null
  readonly startsAt: Millis | null
  /** Start of the next window by the store's clock; null: the window never ends. */
  readonly resetsAt: Millis | null
  /** Milliseconds after which the call may fit; null: it does not fit until the limit is topped up or raised. */
  readonly retryAfterMs: number | null
  /** Whether reservations whose lease has ended still wait to be expired. There may be room afterwards. */
  readonly dueLeases: boolean
  /** Every limit that denied the call, the one with the longest wait first. */
  readonly all: readonly DeniedLimit[]

  constructor(all: readonly [DeniedLimit, ...DeniedLimit[]], options: { dueLeases?: boolean | undefined } = {}) {
    const [first] = all
    super(describeDenial(all), { code: "budget-exceeded", kind: "denied" })
    this.name = "BudgetExceededError"
    this.scope = first.scope
    this.window = first.window
    this.unit = first.unit
    this.limit = first.limit
    this.granted = first.granted
    this.spent = first.spent
    this.reserved = first.reserved
    this.requested = first.requested
    this.remaining = first.remaining
    this.limitNanoUsd = first.limitNanoUsd
    this.grantedNanoUsd = first.grantedNanoUsd
    this.spentNanoUsd = first.spentNanoUsd
    this.reservedNanoUsd = first.reservedNanoUsd
    this.requestedNanoUsd = first.requestedNanoUsd
    this.remainingNanoUsd = first.remainingNanoUsd
    this.startsAt = first.startsAt
    this.resetsAt = first.resetsAt
    this.retryAfterMs = first.retryAfterMs
    this.dueLeases = options.dueLeases ?? false
    this.all = all
  }

  static override isInstance(value: unknown): value is BudgetExceededError {
    return P2Error.isInstance(value) && value.code === "budget-exceeded"
  }
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
  if (!isOnlyReserved(limit)) return resets
  return `${show(limit, "reserved")} is reserved by other calls: retry when they end.${isReset ? ` ${resets}` : ""}`
}

/** Whether the call would fit if all other reservations were released. */
function isOnlyReserved(limit: DeniedLimit): boolean {
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
