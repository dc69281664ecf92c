import { type BudgetPeriod, InvalidArgumentError, LruMap, readPeriodStart } from "@p2/core"
import { MAX_TIME, type Millis } from "../store/shape"

/** The time over which a limit counts: forever, a calendar period in a time zone, or a fixed length such as `"1h"`. */
export type WindowPeriod = BudgetPeriod

const SECOND = 1_000
const HOUR = 3_600_000
const DAY = 86_400_000
/** More than the offset of any time zone from UTC. */
const MAX_OFFSET = 20 * HOUR
/** An ICU formatter takes tens of kilobytes. */
const MAX_FORMATTERS = 100

export type CalendarPeriod = "hour" | "day" | "week" | "month" | "quarter"

/** A window of time, end exclusive. */
export interface TimeWindow {
  startsAt: Millis
  endsAt: Millis
}

const formatters = new LruMap<string, Intl.DateTimeFormat>(MAX_FORMATTERS)

/** @throws InvalidArgumentError if the runtime does not support this time zone */
export function checkTimeZone(timeZone: unknown, argument: string): asserts timeZone is string {
  if (typeof timeZone === "string" && timeZone.length <= 64 && /^[A-Za-z0-9_+\-/:]+$/.test(timeZone)) {
    try {
      formatterOf(timeZone)
      return
    } catch {
      // The error below names the argument; the runtime's own error does not.
    }
  }
  throw new InvalidArgumentError(argument, 'an IANA time zone such as "Europe/Paris"', timeZone)
}

/**
 * The calendar period of a time zone that contains an instant. It starts `startMs` after midnight of its first day, which is
 * Monday for weeks and 1 January, April, July or October for quarters.
 *
 * A period starts at the first instant at which the zone's clock shows its date and hour, or a later one. So a day that
 * summer time shortens has 23 hours, an hour that the clock repeats is one window of two hours, an hour or a day that the
 * clock skips has no window, and a window that has ended never starts again.
 */
export function calendarWindow(period: CalendarPeriod, timeZone: string, now: Millis, startMs = 0): TimeWindow {
  // Without this check, the loop below might not end.
  if (!(Math.abs(now) <= MAX_TIME)) throw new InvalidArgumentError("time", "an instant in epoch milliseconds", now)
  let start = floorWall(period, now + offsetAt(timeZone, now) - startMs) + startMs
  let startsAt = firstInstantAt(timeZone, start)
  for (;;) {
    const next = nextWall(period, start - startMs) + startMs
    const endsAt = firstInstantAt(timeZone, next)
    // `now` can be past the end if the clock was set back across it, or if the clock skipped the period.
    if (endsAt > now) return { startsAt, endsAt }
    start = next
    startsAt = endsAt
  }
}

/** How far the clock of a time zone is ahead of UTC, in milliseconds. */
export function offsetAt(timeZone: string, at: Millis): number {
  if (timeZone === "UTC") return 0
  const fields = /(\d+)\/(\d+)\/(\d+), (\d+):(\d+):(\d+)/.exec(formatterOf(timeZone).format(at))!
  const [month, day, year, hour, minute, second] = fields.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const wall = Date.UTC(year, month - 1, day, hour, minute, second)
  return wall - Math.floor(at / SECOND) * SECOND
}

/** The first instant at which the zone's clock shows this wall time (as if it were UTC) or a later one. */
function firstInstantAt(timeZone: string, wall: number): Millis {
  const [early, late] = [wall - MAX_OFFSET, wall + MAX_OFFSET]
  const [before, after] = [offsetAt(timeZone, early), offsetAt(timeZone, late)]
  if (before === after) return wall - before
  const change = changeBetween(timeZone, early, late, before)
  if (wall - before < change) return wall - before
  // The wall time is after the change, or in the gap of a clock that was set forward.
  return Math.max(change, wall - after)
}

/** The instant, to the second, at which the offset is no longer `before`. */
function changeBetween(timeZone: string, early: Millis, late: Millis, before: number): Millis {
  let [low, high] = [Math.floor(early / SECOND), Math.ceil(late / SECOND)]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (offsetAt(timeZone, middle * SECOND) === before) low = middle
    else high = middle
  }
  return high * SECOND
}

function floorWall(period: CalendarPeriod, wall: number): number {
  if (period === "hour") return Math.floor(wall / HOUR) * HOUR
  const day = Math.floor(wall / DAY)
  if (period === "day") return day * DAY
  // Day 0, 1 January 1970, was a Thursday.
  if (period === "week") return (day - ((((day + 3) % 7) + 7) % 7)) * DAY
  const date = new Date(wall)
  const month = date.getUTCMonth()
  return Date.UTC(date.getUTCFullYear(), period === "month" ? month : month - (month % 3), 1)
}

function nextWall(period: CalendarPeriod, start: number): number {
  if (period === "hour") return start + HOUR
  if (period === "day") return start + DAY
  if (period === "week") return start + 7 * DAY
  const date = new Date(start)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + (period === "month" ? 1 : 3), 1)
}

function formatterOf(timeZone: string): Intl.DateTimeFormat {
  return formatters.getOrCreate(
    timeZone,
    () =>
      new Intl.DateTimeFormat("en-US", {
        timeZone,
        calendar: "gregory",
        numberingSystem: "latn",
        hourCycle: "h23",
        year: "numeric",
        month: "numeric",
        day: "numeric",
        hour: "numeric",
        minute: "numeric",
        second: "numeric",
      }),
  )
}

/** An instant as the clock of a zone shows it: `2026-12-01T00:00+01:00`, with seconds where they are not zero. */
export function formatInstant(at: Millis, timeZone: string): string {
  const offset = offsetAt(timeZone, at)
  const wall = new Date(at + offset).toISOString().slice(0, -1)
  const time = wall.replace(/(:00)?\.000$/, "")
  if (timeZone === "UTC") return `${time}Z`
  const minutes = Math.round(Math.abs(offset) / 60_000)
  const pad = (value: number) => String(value).padStart(2, "0")
  return `${time}${offset < 0 ? "-" : "+"}${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)}`
}

const UNIT_MS = { s: SECOND, m: 60 * SECOND, h: HOUR, d: DAY } as const
/** A shorter window would end before its call is sent. */
const MIN_LENGTH_MS = 1_000
const MAX_LENGTH_MS = 3_660 * DAY
const CALENDAR_PERIODS: readonly unknown[] = ["hour", "day", "week", "month", "quarter"]

/** The windows of a limit: how it divides time. */
export interface LimitWindow {
  per: WindowPeriod
  /** Null unless `per` is a calendar period. */
  timeZone: string | null
  /** How long after midnight of its first day a calendar period starts. */
  startMs: number
  /** Length of fixed windows; null: calendar periods, or no end. */
  lengthMs: number | null
  /** Identifies how the window is written: `total`, `day Europe/Paris`, `month UTC +342h`, `every 3600000`. */
  kind: string
}

/** The longest window of each calendar period: the clock may repeat an hour. */
const LONGEST_MS: Readonly<Record<CalendarPeriod, number>> = {
  hour: 2 * HOUR,
  day: DAY + 2 * HOUR,
  week: 7 * DAY + 2 * HOUR,
  month: 31 * DAY + 2 * HOUR,
  quarter: 92 * DAY + 2 * HOUR,
}

/** Maximum length of a window, in milliseconds; null: it never ends. */
export function longestMs({ per, timeZone, lengthMs }: LimitWindow): number | null {
  return timeZone === null ? lengthMs : LONGEST_MS[per as CalendarPeriod]
}

/** Reads the window of a limit. @throws InvalidArgumentError */
export function readWindow(
  { per, timeZone, start }: { per?: unknown; timeZone?: unknown; start?: unknown },
  argument: string,
): LimitWindow {
  const period = (per ?? "total") as WindowPeriod
  const startMs = readPeriodStart(start, period, `${argument}.start`)
  if (CALENDAR_PERIODS.includes(period)) {
    const zone = timeZone ?? "UTC"
    checkTimeZone(zone, `${argument}.timeZone`)
    const kind = `${period} ${zone}${startMs === 0 ? "" : ` +${startMs / HOUR}h`}`
    return { per: period, timeZone: zone, startMs, lengthMs: null, kind }
  }
  const lengthMs = period === "total" ? null : readLength(period, `${argument}.per`)
  if (timeZone !== undefined && timeZone !== "UTC")
    throw new InvalidArgumentError(
      `${argument}.timeZone`,
      "absent, because only hour, day, week, month and quarter have a time zone",
      timeZone,
    )
  return { per: period, timeZone: null, startMs, lengthMs, kind: lengthMs === null ? "total" : `every ${lengthMs}` }
}

function readLength(period: unknown, argument: string): number {
  const match = typeof period === "string" ? /^([1-9]\d{0,8})([smhd])$/.exec(period) : null
  const lengthMs = match === null ? Number.NaN : Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS]
  if (lengthMs >= MIN_LENGTH_MS && lengthMs <= MAX_LENGTH_MS) return lengthMs
  throw new InvalidArgumentError(
    argument,
    '"total", "hour", "day", "week", "month", "quarter" or a length from "1s" to "3660d" such as "90m"',
    period,
  )
}

/** A window of a limit. */
export interface NamedWindow extends TimeWindow {
  /** Its part of the names of counters. */
  name: string
}

/** The newest window of each kind. */
const newestWindows = new LruMap<string, NamedWindow>(1_000)

/** The window that contains an instant; null: the window never ends. Fixed lengths count from 1 January 1970 UTC. */
export function windowAt({ per, timeZone, startMs, lengthMs, kind }: LimitWindow, now: Millis): NamedWindow | null {
  if (lengthMs === null && timeZone === null) return null
  const newest = newestWindows.get(kind)
  if (newest !== undefined && newest.startsAt <= now && now < newest.endsAt) return newest
  const { startsAt, endsAt } =
    lengthMs === null ? calendarWindow(per as CalendarPeriod, timeZone!, now, startMs) : fixedWindow(lengthMs, now)
  const window = { startsAt, endsAt, name: windowName(startsAt, endsAt) }
  newestWindows.set(kind, window)
  return window
}

function fixedWindow(lengthMs: number, now: Millis): TimeWindow {
  const startsAt = Math.floor(now / lengthMs) * lengthMs
  return { startsAt, endsAt: startsAt + lengthMs }
}

/** Both instants in base 36: `mk2qvs00-mk4bqdc0`. */
export function windowName(startsAt: Millis, endsAt: Millis): string {
  return `${startsAt.toString(36)}-${endsAt.toString(36)}`
}
