import { InvalidArgumentError } from "@p2/core"
import type { DailyWindow, PriceSheet } from "./price-row"

/**
 * A time after 2000: milliseconds since 1970, a `Date`, or ISO 8601: a date (midnight in UTC), or a date and time with
 * `Z` or an offset.
 */
export type Instant = number | Date | string

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

/** 2001-01-01. No model had a price before. Seconds passed as milliseconds would be in January 1970. */
const FIRST_MS = 978_307_200_000

const ISO = /^(\d{4})-(\d{2})-(\d{2})(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/

/** Converts to milliseconds since 1970. @throws InvalidArgumentError unless the value is a time after 2000 */
export function instantMs(instant: Instant, argument: string): number {
  const ms = typeof instant === "number" ? instant : instant instanceof Date ? instant.getTime() : isoMs(instant)
  if (ms !== undefined && ms >= FIRST_MS && ms <= 8.64e15) return ms
  throw new InvalidArgumentError(
    argument,
    "a time after 2000: a Date, milliseconds (not seconds) since 1970, or an ISO 8601 date (UTC) or date and time with `Z` or an offset",
    instant,
  )
}

/** Milliseconds since 1970 of an ISO 8601 date, or of a date and time with a zone; undefined for anything else. */
export function isoMs(value: unknown): number | undefined {
  const [iso, year, month, day] = typeof value === "string" ? (ISO.exec(value) ?? []) : []
  if (iso === undefined) return undefined
  // `Date.parse` reads 30 February as 2 March.
  const isDay = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).getUTCDate() === Number(day)
  const ms = Date.parse(iso)
  return isDay && !Number.isNaN(ms) ? ms : undefined
}

/** Whether a sheet is valid at an instant. */
export function holdsAt(sheet: PriceSheet, ms: number): boolean {
  if (sheet.fromMs !== undefined && ms < sheet.fromMs) return false
  if (sheet.untilMs !== undefined && ms >= sheet.untilMs) return false
  if (sheet.window === undefined) return true
  const day = Math.floor(ms / DAY_MS)
  return windowHolds(sheet.window, day, ms) || windowHolds(sheet.window, day - 1, ms)
}

/** Whether a sheet is valid at some instant from `startMs` to `endMs`, both inclusive. */
export function holdsBetween(sheet: PriceSheet, startMs: number, endMs: number): boolean {
  const start = Math.max(startMs, sheet.fromMs ?? Number.NEGATIVE_INFINITY)
  const end = sheet.untilMs === undefined ? endMs : Math.min(endMs, sheet.untilMs - 1)
  if (start > end) return false
  if (sheet.window === undefined || end - start >= 7 * DAY_MS) return true
  // A window may have started on the day before.
  for (let day = Math.floor(start / DAY_MS) - 1; day <= Math.floor(end / DAY_MS); day++) {
    const span = windowSpan(sheet.window, day)
    if (span !== undefined && span.startMs <= end && span.endMs > start) return true
  }
  return false
}

function windowHolds(window: DailyWindow, day: number, ms: number): boolean {
  const span = windowSpan(window, day)
  return span !== undefined && ms >= span.startMs && ms < span.endMs
}

/** Returns the window that starts on a day, counted from 1970-01-01, which was a Thursday. */
function windowSpan(window: DailyWindow, day: number): { startMs: number; endMs: number } | undefined {
  const weekday = (((day + 4) % 7) + 7) % 7
  if (!window.days.includes(weekday)) return undefined
  const startMs = day * DAY_MS + window.startMinute * MINUTE_MS
  const minutes = window.endMinute - window.startMinute
  return { startMs, endMs: startMs + (minutes > 0 ? minutes : minutes + 1440) * MINUTE_MS }
}
