import type { LimitStatus, Scope, Subject, WindowPeriod } from "@p2/budget"
import type { NanoUsd } from "@p2/core"

/** A limit in dollars that the circuit breaker keeps an outage from emptying. */
export interface GuardedLimit {
  /** The tag of its counters: its scope with the value, and its window, as JSON. */
  tag: string
  /** The limit with its top-ups. */
  nanoUsd: NanoUsd
  /** The spent amount. */
  spentNanoUsd: NanoUsd
}

/** A window of a counter: `per` and `timeZone` as in a limit of a budget. */
export interface CounterWindow {
  per: WindowPeriod
  timeZone?: string | undefined
}

/** One call may be sent in each of these windows once money is in doubt; each also counts what is in doubt. */
export const PROBE_WINDOWS = ["1m", "10m", "1h", "1d"] as const
export type ProbeWindow = (typeof PROBE_WINDOWS)[number]

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const PERIOD_MS: Partial<Record<WindowPeriod, number>> = {
  hour: UNIT_MS.h,
  day: UNIT_MS.d,
  week: 7 * UNIT_MS.d,
  month: 28 * UNIT_MS.d,
}

/**
 * The limits of a call that the circuit breaker guards: those in dollars, at most `max` and then the smallest ones. The
 * budget of one request is not among them: after all attempts of a request have failed, the rest of its budget is
 * useless.
 */
export function guardedLimits(statuses: readonly LimitStatus[], subject: Subject, max: number): GuardedLimit[] {
  return statuses
    .flatMap(({ scope, window, timeZone, limitNanoUsd, grantedNanoUsd, spentNanoUsd }) => {
      const nanoUsd = (limitNanoUsd ?? 0) + (grantedNanoUsd ?? 0)
      const tag = JSON.stringify([scope, scopeValue(scope, subject), window, timeZone])
      return nanoUsd > 0 && scope !== "request" ? [{ tag, nanoUsd, spentNanoUsd: spentNanoUsd ?? 0 }] : []
    })
    .sort((a, b) => a.nanoUsd - b.nanoUsd)
    .slice(0, max)
}

/** The windows in which what is in doubt is counted: that of the limit, and every probe window that is shorter. */
export function countedWindows(tag: string): [CounterWindow, ...CounterWindow[]] {
  const [, , per, timeZone] = JSON.parse(tag) as [Scope, string | null, WindowPeriod, string | null]
  const shorter = PROBE_WINDOWS.filter((probe) => lengthOf(probe) < lengthOf(per)).map((probe) => ({ per: probe }))
  // A window must end, because the circuit closes at its end.
  const own = per === "total" ? { per: "30d" as const } : { per, ...(timeZone === null ? {} : { timeZone }) }
  return [own, ...shorter]
}

function lengthOf(per: WindowPeriod): number {
  if (per === "total") return Number.POSITIVE_INFINITY
  return PERIOD_MS[per] ?? Number.parseInt(per, 10) * UNIT_MS[per.slice(-1) as keyof typeof UNIT_MS]
}

function scopeValue(scope: Scope, { userId, clientId, model, tags }: Subject): string | null {
  if (scope === "user") return userId ?? null
  if (scope === "client") return clientId ?? null
  if (scope === "model") return model ?? null
  return typeof scope === "object" && "tag" in scope ? (tags?.[scope.tag] ?? null) : null
}
