import { formatUsd, P2Error } from "@p2/core"
import type { LimitStatus } from "./budget"
import type { WindowPeriod } from "./limit"
import type { Millis } from "./store"
import type { Scope, Unit } from "./subject"

/** A limit that said no, and what was asked of it. */
export interface RefusedLimit extends LimitStatus {
  limit: number
  remaining: number
  requested: number
  /** Milliseconds after which it may fit; null: not before somebody tops it up. */
  retryAfterMs: number | null
}

/** The budget said no: code `budget-exceeded`. Nothing was reserved. The fields are those of the first limit in `all`. */
export class BudgetExceededError extends P2Error {
  readonly scope: Scope
  readonly window: WindowPeriod
  readonly unit: Unit
  readonly limit: number
  readonly granted: number
  readonly spent: number
  readonly reserved: number
  readonly requested: number
  readonly remaining: number
  readonly startsAt: Millis | null
  /** Start of the next window by the store's clock; null: there is none. */
  readonly resetsAt: Millis | null
  readonly retryAfterMs: number | null
  /** Every limit that refused; the one that holds longest first. */
  readonly all: readonly RefusedLimit[]

  constructor(all: readonly [RefusedLimit, ...RefusedLimit[]]) {
    const first = all[0]
    super(describe(all), { code: "budget-exceeded", kind: "denied" })
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
    this.startsAt = first.startsAt
    this.resetsAt = first.resetsAt
    this.retryAfterMs = first.retryAfterMs
    this.all = all
  }
}

function describe(all: readonly RefusedLimit[]): string {
  const first = all[0]!
  const show = (value: number) => (first.unit === "nanoUsd" ? `$${formatUsd(value)}` : `${value} ${first.unit}`)
  const granted = first.granted === 0 ? "" : ` (topped up by ${show(first.granted)})`
  const others =
    all.length === 1 ? "" : ` ${all.length - 1} more ${all.length === 2 ? "limit refuses" : "limits refuse"} it too.`
  return (
    `The budget of scope ${scopeName(first.scope)} refuses ${show(first.requested)}: the limit ${windowName(first)} is ` +
    `${show(first.limit)}${granted}, ${show(first.spent)} is spent and ${show(first.reserved)} reserved, so that ` +
    `${show(first.remaining)} remains. ${whatToDo(first)}${others}`
  )
}

function whatToDo(limit: RefusedLimit): string {
  if (limit.requested > limit.limit + limit.granted) return "It never fits: ask for less, or raise the limit."
  if (limit.resetsAt === null) return "Wait for other calls to end, top it up, or raise the limit."
  return `The next window starts at ${new Date(limit.resetsAt).toISOString()}.`
}

function scopeName(scope: Scope): string {
  if (typeof scope === "string") return `"${scope}"`
  return "tag" in scope ? `tag ${JSON.stringify(scope.tag.slice(0, 60))}` : "of a child budget"
}

function windowName({ window, timeZone }: RefusedLimit): string {
  return window === "total" ? "in all" : `per ${window}${timeZone === null ? "" : ` (${timeZone})`}`
}
