import { type NanoUsd, toUsdNumber } from "@p2/core"
import type { CounterState } from "../store/budget-store"
import type { Millis } from "../store/shape"
import type { CallCounter } from "./counters"
import type { PlannedLimit } from "./limit"
import type { Scope } from "./subject"
import type { WindowPeriod } from "./window"

/**
 * The status of one limit. For a limit in dollars, `limit`, `granted`, `spent`, `reserved` and `remaining` are dollars, and
 * the fields that end in `NanoUsd` are the exact amounts. For a limit in tokens or requests they are counts, and the
 * `NanoUsd` fields are null.
 */
export interface LimitStatus {
  scope: Scope
  /** The `per` of the limit. */
  window: WindowPeriod
  /** Null for `total` and fixed lengths. */
  timeZone: string | null
  unit: "usd" | "tokens" | "requests"
  /** Null: the limit only counts. */
  limit: number | null
  /** Total of the top-ups in this window. */
  granted: number
  spent: number
  reserved: number
  /** limit + granted − spent − reserved; negative after overruns; null without a limit. */
  remaining: number | null
  limitNanoUsd: NanoUsd | null
  grantedNanoUsd: NanoUsd | null
  spentNanoUsd: NanoUsd | null
  reservedNanoUsd: NanoUsd | null
  remainingNanoUsd: NanoUsd | null
  startsAt: Millis | null
  /** Null: the window never ends. */
  resetsAt: Millis | null
}

/** The window of a counter. */
type CounterWindow = Pick<CallCounter, "startsAt" | "endsAt">

export function statusOf(limit: PlannedLimit, { startsAt, endsAt }: CounterWindow, state: CounterState): LimitStatus {
  const { granted, spent, reserved } = state
  const remaining = limit.limit === null ? null : limit.limit + granted - spent - reserved
  const isMoney = limit.unit === "nanoUsd"
  const shown = <T extends number | null>(amount: T) => (isMoney && amount !== null ? toUsdNumber(amount) : amount) as T
  const exact = (amount: number | null) => (isMoney ? amount : null)
  return {
    scope: limit.scope,
    window: limit.window.per,
    timeZone: limit.window.timeZone,
    unit: limit.unit === "nanoUsd" ? "usd" : limit.unit,
    limit: shown(limit.limit),
    granted: shown(granted),
    spent: shown(spent),
    reserved: shown(reserved),
    remaining: shown(remaining),
    limitNanoUsd: exact(limit.limit),
    grantedNanoUsd: exact(granted),
    spentNanoUsd: exact(spent),
    reservedNanoUsd: exact(reserved),
    remainingNanoUsd: exact(remaining),
    startsAt,
    resetsAt: endsAt,
  }
}

/** The status of limits, in their own order: of each limit, or of the smallest limit of each counter. */
export function statusesOf(
  limits: readonly PlannedLimit[],
  counters: readonly CallCounter[],
  states: readonly CounterState[],
  which: "each" | "smallest",
): LimitStatus[] {
  const statuses = new Map<PlannedLimit, LimitStatus>()
  for (const [index, counter] of counters.entries())
    for (const limit of which === "each" ? counter.limits : counter.limits.slice(0, 1))
      statuses.set(limit, statusOf(limit, counter, states[index]!))
  return limits.flatMap((limit) => statuses.get(limit) ?? [])
}
