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
  const amounts = { limit: limit.limit, granted, spent, reserved, remaining }
  return {
    scope: limit.scope,
    window: limit.window.per,
    timeZone: limit.window.timeZone,
    unit: limit.unit === "nanoUsd" ? "usd" : limit.unit,
    ...(isMoney
      ? {
          limit: dollars(amounts.limit),
          granted: toUsdNumber(granted),
          spent: toUsdNumber(spent),
          reserved: toUsdNumber(reserved),
          remaining: dollars(remaining),
        }
      : amounts),
    limitNanoUsd: isMoney ? limit.limit : null,
    grantedNanoUsd: isMoney ? granted : null,
    spentNanoUsd: isMoney ? spent : null,
    reservedNanoUsd: isMoney ? reserved : null,
    remainingNanoUsd: isMoney ? remaining : null,
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

function dollars(nanoUsd: NanoUsd | null): number | null {
  return nanoUsd === null ? null : toUsdNumber(nanoUsd)
}
