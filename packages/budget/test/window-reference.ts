import type { PeriodStart } from "@p2/core"
import type { CalendarPeriod } from "../src/limits/window"

const HOUR = 3_600_000
const DAY = 24 * HOUR

interface Segment {
  start: number
  offset: number
}

/**
 * Computes the windows of a zone by another algorithm than src: the whole timeline of offsets first, from the runtime's
 * names such as `GMT+05:45`, then a walk along it that records the first instant of each date that is later than all
 * earlier ones.
 */
export class ReferenceZone {
  readonly #name: Intl.DateTimeFormat
  readonly segments: Segment[] = []

  constructor(
    timeZone: string,
    readonly from: number,
    readonly to: number,
  ) {
    this.#name = new Intl.DateTimeFormat("en-US", { timeZone, timeZoneName: "longOffset" })
    let offset = this.#offset(from)
    this.segments.push({ start: from, offset })
    for (let at = from; at < to; at += 6 * HOUR) {
      const next = this.#offset(at + 6 * HOUR)
      if (next === offset) continue
      this.segments.push({ start: this.#change(at, at + 6 * HOUR, offset), offset: next })
      offset = next
    }
  }

  /** Every start of a period, ascending. */
  starts(period: CalendarPeriod, start: PeriodStart = {}): number[] {
    const starts: number[] = []
    let latest = Number.NEGATIVE_INFINITY
    for (const [index, { start: begin, offset }] of this.segments.entries()) {
      const end = this.segments[index + 1]?.start ?? this.to
      let wall = begin + offset
      while (wall < end + offset) {
        const label = floorOf(period, start, wall)
        if (label > latest) {
          starts.push(wall - offset)
          latest = label
        }
        wall = followingOf(period, start, label)
      }
    }
    // The first is where the timeline begins, in the middle of a period.
    return starts.slice(1)
  }

  #offset(at: number): number {
    const name = this.#name.formatToParts(at).find(({ type }) => type === "timeZoneName")!.value
    const match = /^GMT(?:([+-])(\d+):(\d+)(?::(\d+))?)?$/.exec(name)!
    const [, sign, hours = "0", minutes = "0", seconds = "0"] = match
    const ms = Number(hours) * HOUR + Number(minutes) * 60_000 + Number(seconds) * 1_000
    return sign === "-" ? -ms : ms
  }

  #change(early: number, late: number, before: number): number {
    let [low, high] = [early, late]
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if (this.#offset(middle) === before) low = middle
      else high = middle
    }
    return high
  }
}

const WEEKDAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]

/** Goes back hour by hour and day by day from a wall time to one at which the period starts. */
function floorOf(period: CalendarPeriod, start: PeriodStart, wall: number): number {
  let at = wall - mod(wall, HOUR)
  if (period === "hour") return at
  while (new Date(at).getUTCHours() !== (start.hour ?? 0)) at -= HOUR
  while (!isFirstDay(period, start, new Date(at))) at -= DAY
  return at
}

function isFirstDay(period: CalendarPeriod, { day = 1, weekday = "monday" }: PeriodStart, date: Date): boolean {
  if (period === "day") return true
  if (period === "week") return WEEKDAYS[date.getUTCDay()] === weekday
  return date.getUTCDate() === day && (period === "month" || [0, 3, 6, 9].includes(date.getUTCMonth()))
}

function followingOf(period: CalendarPeriod, start: PeriodStart, label: number): number {
  if (period === "hour") return label + HOUR
  let at = label + DAY
  while (!isFirstDay(period, start, new Date(at))) at += DAY
  return at
}

function mod(value: number, by: number): number {
  return ((value % by) + by) % by
}
