import type { CalendarPeriod } from "../src/limits/window"

const HOUR = 3_600_000
const DAY = 24 * HOUR

interface Segment {
  start: number
  offset: number
}

/**
 * Windows of a zone, found another way than in src: the whole timeline of offsets first, from the runtime's names such as
 * `GMT+05:45`, then a walk along it that notes the first instant of each date that is later than all before.
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
  starts(period: CalendarPeriod): number[] {
    const starts: number[] = []
    let latest = Number.NEGATIVE_INFINITY
    for (const [index, { start, offset }] of this.segments.entries()) {
      const end = this.segments[index + 1]?.start ?? this.to
      let wall = start + offset
      while (wall < end + offset) {
        const label = floorOf(period, wall)
        if (label > latest) {
          starts.push(wall - offset)
          latest = label
        }
        wall = followingOf(period, label)
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

function floorOf(period: CalendarPeriod, wall: number): number {
  if (period === "hour") return wall - mod(wall, HOUR)
  const day = wall - mod(wall, DAY)
  if (period === "day") return day
  const date = new Date(day)
  if (period === "week") return day - mod(date.getUTCDay() - 1, 7) * DAY
  return day - (date.getUTCDate() - 1) * DAY
}

function followingOf(period: CalendarPeriod, label: number): number {
  if (period === "hour") return label + HOUR
  if (period === "day") return label + DAY
  if (period === "week") return label + 7 * DAY
  // Day 1 plus 31 days lies in the next month, whose day 1 is that much earlier.
  const inside = new Date(label + 31 * DAY)
  return label + 31 * DAY - (inside.getUTCDate() - 1) * DAY
}

function mod(value: number, by: number): number {
  return ((value % by) + by) % by
}
