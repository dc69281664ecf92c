import { InvalidArgumentError, LruMap } from "@p2/core"
import type { Millis } from "../store/name"
import { type CalendarPeriod, calendarWindow, checkTimeZone, type TimeWindow } from "./calendar"
import type { WindowPeriod } from "./limit"

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
/** A shorter window would end before its call is sent. */
const MIN_LENGTH_MS = 1_000
const MAX_LENGTH_MS = 3_660 * UNIT_MS.d
const CALENDAR_PERIODS: readonly unknown[] = ["hour", "day", "week", "month"]

/** The windows of a limit: how it divides time. */
export interface LimitWindow {
  per: WindowPeriod
  /** Null unless `per` is a calendar period. */
  timeZone: string | null
  /** Length of fixed windows; null: calendar periods, or no end. */
  lengthMs: number | null
  /** Identifies how the window is written: `total`, `day Europe/Paris`, `every 3600000`. */
  kind: string
}

/** Reads `per` and `timeZone` of a limit. @throws InvalidArgumentError */
export function readWindow(per: unknown, timeZone: unknown, argument: string): LimitWindow {
  const period = (per ?? "total") as WindowPeriod
  if (CALENDAR_PERIODS.includes(period)) {
    const zone = timeZone ?? "UTC"
    checkTimeZone(zone, `${argument}.timeZone`)
    return { per: period, timeZone: zone, lengthMs: null, kind: `${period} ${zone}` }
  }
  const lengthMs = period === "total" ? null : readLength(period, `${argument}.per`)
  if (timeZone !== undefined && timeZone !== "UTC")
    throw new InvalidArgumentError(
      `${argument}.timeZone`,
      "absent, because only hour, day, week and month have a time zone",
      timeZone,
    )
  return { per: period, timeZone: null, lengthMs, kind: lengthMs === null ? "total" : `every ${lengthMs}` }
}

function readLength(period: unknown, argument: string): number {
  const match = typeof period === "string" ? /^([1-9]\d{0,8})([smhd])$/.exec(period) : null
  const lengthMs = match === null ? Number.NaN : Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS]
  if (lengthMs >= MIN_LENGTH_MS && lengthMs <= MAX_LENGTH_MS) return lengthMs
  throw new InvalidArgumentError(
    argument,
    '"total", "hour", "day", "week", "month" or a length from "1s" to "3660d" such as "90m"',
    period,
  )
}

/** The newest window of each kind of calendar period. */
const calendarWindows = new LruMap<string, TimeWindow>(1_000)

/** The window that contains an instant; null: the window never ends. Fixed lengths count from 1 January 1970 UTC. */
export function windowAt({ per, timeZone, lengthMs, kind }: LimitWindow, now: Millis): TimeWindow | null {
  if (lengthMs !== null) {
    const startsAt = Math.floor(now / lengthMs) * lengthMs
    return { startsAt, endsAt: startsAt + lengthMs }
  }
  if (timeZone === null) return null
  const newest = calendarWindows.get(kind)
  if (newest !== undefined && newest.startsAt <= now && now < newest.endsAt) return newest
  const window = calendarWindow(per as CalendarPeriod, timeZone, now)
  calendarWindows.set(kind, window)
  return window
}
