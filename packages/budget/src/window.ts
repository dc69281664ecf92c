import { InvalidArgumentError } from "@p2/core"
import { type CalendarPeriod, calendarWindow, checkTimeZone, type TimeWindow } from "./calendar"
import { LeastRecent } from "./internal/least-recent"
import type { WindowPeriod } from "./limit"
import type { Millis } from "./store"

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
/** A window shorter than a second would be over before its call is sent. */
const LEAST_MS = 1_000
const MOST_MS = 3_660 * UNIT_MS.d
const MAX_CACHED = 1_000
const CALENDAR: readonly string[] = ["hour", "day", "week", "month"]

/** How time is cut into windows. `kind` is the part of a cell's key that says so. */
export interface Windowing {
  per: WindowPeriod
  /** Null unless the period is one of the calendar. */
  timeZone: string | null
  /** `total`, `day.Europe:Paris`, `every.3600000`. */
  kind: string
  /** Length of fixed windows. */
  lengthMs: number | null
}

/** Reads `per` and `timeZone` of a limit. @throws InvalidArgumentError */
export function readWindowing(per: unknown, timeZone: unknown, argument: string): Windowing {
  const period = per ?? "total"
  if (CALENDAR.includes(period as string)) {
    const zone = timeZone ?? "UTC"
    checkTimeZone(zone, `${argument}.timeZone`)
    const kind = `${period as string}.${zone.replaceAll("/", ":").replaceAll("+", "=")}`
    return { per: period as WindowPeriod, timeZone: zone, kind, lengthMs: null }
  }
  if (timeZone !== undefined && timeZone !== "UTC")
    throw new InvalidArgumentError(
      `${argument}.timeZone`,
      "absent, because only calendar periods have a time zone",
      timeZone,
    )
  if (period === "total") return { per: "total", timeZone: null, kind: "total", lengthMs: null }
  const match = typeof period === "string" ? /^([1-9]\d{0,8})([smhd])$/.exec(period) : null
  const lengthMs = match === null ? Number.NaN : Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS]
  if (!(lengthMs >= LEAST_MS && lengthMs <= MOST_MS))
    throw new InvalidArgumentError(
      `${argument}.per`,
      '"total", "hour", "day", "week", "month" or a length from "1s" to "3660d" such as "90m"',
      per,
    )
  return { per: period as WindowPeriod, timeZone: null, kind: `every.${lengthMs}`, lengthMs }
}

let cached: LeastRecent<string, TimeWindow> | undefined

/** The window that contains an instant; null: the window has no end. Fixed lengths are counted from 1 January 1970 UTC. */
export function windowAt(windowing: Windowing, now: Millis): TimeWindow | null {
  const { lengthMs, timeZone } = windowing
  if (lengthMs !== null) {
    const startsAt = Math.floor(now / lengthMs) * lengthMs
    return { startsAt, endsAt: startsAt + lengthMs }
  }
  if (timeZone === null) return null
  cached ??= new LeastRecent(MAX_CACHED)
  const last = cached.get(windowing.kind)
  if (last !== undefined && last.startsAt <= now && now < last.endsAt) return last
  const window = calendarWindow(windowing.per as CalendarPeriod, timeZone, now)
  cached.set(windowing.kind, window)
  return window
}

/** The inverse of `kind`, for keys that this or another process made; undefined when it makes no sense here. */
export function windowingOfKind(kind: string): Windowing | undefined {
  const dot = kind.indexOf(".")
  const [name, rest] = dot === -1 ? [kind, ""] : [kind.slice(0, dot), kind.slice(dot + 1)]
  try {
    if (name === "every") return fixedOf(Number(rest))
    if (name === "total") return readWindowing("total", undefined, "window")
    const zone = /^[=-]/.test(rest) ? rest.replace("=", "+") : rest.replaceAll(":", "/").replaceAll("=", "+")
    return readWindowing(name, zone, "window")
  } catch {
    return undefined
  }
}

function fixedOf(lengthMs: number): Windowing | undefined {
  if (!Number.isSafeInteger(lengthMs) || lengthMs < LEAST_MS || lengthMs > MOST_MS) return undefined
  return { per: `${lengthMs / 1_000}s`, timeZone: null, kind: `every.${lengthMs}`, lengthMs }
}
