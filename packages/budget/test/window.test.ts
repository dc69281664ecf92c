import type { PeriodStart } from "@p2/core"
import { describe, expect, it } from "vitest"
import { type CalendarPeriod, calendarWindow, formatInstant, readWindow, windowAt } from "../src/limits/window"
import { ReferenceZone } from "./window-reference"

const FROM = Date.UTC(2018, 0, 1)
const TO = Date.UTC(2028, 0, 1)
/** All of the runtime's time zones with `pnpm check:windows`, otherwise a sample. */
const ALL = process.env.P2_ALL_ZONES === "1"
/** Zones with unusual rules: half hours, changes at midnight, negative summer time, a skipped day, Ramadan. */
const ODD = [
  "UTC",
  "Europe/Paris",
  "America/New_York",
  "Australia/Lord_Howe",
  "Africa/Casablanca",
  "Europe/Dublin",
  "America/Santiago",
  "America/Havana",
  "Asia/Beirut",
  "Africa/Cairo",
  "Asia/Kathmandu",
  "Pacific/Chatham",
  "America/St_Johns",
  "Pacific/Apia",
  "Asia/Gaza",
  "America/Sao_Paulo",
  "Asia/Tehran",
  "Asia/Pyongyang",
]

function compare(
  timeZone: string,
  from: number,
  to: number,
  periods: readonly CalendarPeriod[],
  start: PeriodStart = {},
): number {
  const zone = new ReferenceZone(timeZone, from, to)
  let compared = 0
  for (const period of periods) {
    const starts = zone.starts(period, start)
    const window = readWindow(
      { per: period, timeZone, start: period === "hour" ? undefined : startFor(period, start) },
      "",
    )
    for (let index = 1; index < starts.length; index++) {
      const [startsAt, endsAt] = [starts[index - 1]!, starts[index]!]
      for (const now of [startsAt, endsAt - 1]) {
        const found = windowAt(window, now)!
        if (found.startsAt !== startsAt || found.endsAt !== endsAt)
          throw new Error(
            `${timeZone} ${period} at ${new Date(now).toISOString()}: expected ${new Date(startsAt).toISOString()} to ` +
              `${new Date(endsAt).toISOString()}, got ${new Date(found.startsAt).toISOString()} to ${new Date(found.endsAt).toISOString()}`,
          )
      }
      compared++
    }
  }
  return compared
}

/** The fields that the period accepts. */
function startFor(period: CalendarPeriod, { hour, day, weekday }: PeriodStart): PeriodStart {
  if (period === "day") return { hour }
  return period === "week" ? { hour, weekday } : { hour, day }
}

describe("calendar windows", () => {
  it.each(ODD)("that start at a given hour and day agree with the reference in %s", (timeZone) => {
    const [from, to] = [Date.UTC(2025, 0, 1), Date.UTC(2027, 0, 1)]
    for (const start of [
      { hour: 2, day: 15, weekday: "sunday" },
      { hour: 23, day: 28, weekday: "wednesday" },
    ] as const)
      expect(compare(timeZone, from, to, ["day", "week", "month", "quarter"], start)).toBeGreaterThan(800)
    expect(compare(timeZone, from, to, ["quarter"])).toBeGreaterThan(5)
  })

  it("that start at a given hour or day contain the instants that their owner expects", () => {
    const windowOf = (limit: object, now: number) => {
      const { startsAt, endsAt } = windowAt(readWindow(limit as never, "limit"), now)!
      return [startsAt, endsAt].map((at) => formatInstant(at, "Europe/Paris"))
    }
    const timeZone = "Europe/Paris"
    const now = Date.UTC(2026, 2, 2, 4, 59)
    expect(windowOf({ per: "day", timeZone, start: { hour: 6 } }, now)).toEqual([
      "2026-03-01T06:00+01:00",
      "2026-03-02T06:00+01:00",
    ])
    expect(windowOf({ per: "week", timeZone, start: { weekday: "sunday" } }, now)[0]).toBe("2026-03-01T00:00+01:00")
    expect(windowOf({ per: "month", timeZone, start: { day: 15, hour: 6 } }, now)).toEqual([
      "2026-02-15T06:00+01:00",
      "2026-03-15T06:00+01:00",
    ])
    expect(windowOf({ per: "quarter", timeZone }, now)).toEqual(["2026-01-01T00:00+01:00", "2026-04-01T00:00+02:00"])
    expect(windowOf({ per: "quarter", timeZone, start: { day: 28 } }, Date.UTC(2026, 3, 2))[1]).toBe(
      "2026-04-28T00:00+02:00",
    )
  })

  it("of the same period that start at other times have other counters", () => {
    const kinds = [
      {},
      { start: {} },
      { start: { hour: 0, day: 1 } },
      { start: { hour: 1 } },
      { start: { day: 2 } },
    ].map((more) => readWindow({ per: "month", ...more }, "limit").kind)
    expect(kinds.map((kind) => kind === kinds[0])).toEqual([true, true, true, false, false])
  })

  it.each([
    ["limit.start.hour", { per: "day", start: { hour: 24 } }],
    ["limit.start.hour", { per: "day", start: { hour: 1.5 } }],
    ["limit.start.day", { per: "day", start: { day: 2 } }],
    ["limit.start.day", { per: "month", start: { day: 29 } }],
    ["limit.start.weekday", { per: "month", start: { weekday: "monday" } }],
    ["limit.start.weekday", { per: "week", start: { weekday: "Mon" } }],
    ["limit.start", { per: "hour", start: { hour: 1 } }],
    ["limit.start", { per: "1h", start: { hour: 1 } }],
    ["limit.start", { start: { hour: 1 } }],
    ["limit.start", { per: "day", start: 6 }],
    ["limit.start.minute", { per: "day", start: { minute: 6 } }],
  ])("reject `%s` of %j", (argument, limit) => {
    expect(() => readWindow(limit as never, "limit")).toThrowError(`\`${argument}\``)
  })

  it.runIf(ALL)(
    "agree with the reference in every zone over ten years",
    () => {
      const zones = [...new Set([...ODD, ...Intl.supportedValuesOf("timeZone")])]
      let compared = 0
      for (const timeZone of zones) compared += compare(timeZone, FROM, TO, ["day", "week", "month", "quarter"])
      console.log(`${zones.length} zones, ${compared} windows of days, weeks, months and quarters from 2018 to 2027`)
      expect(zones.length).toBeGreaterThanOrEqual(400)
      expect(compared).toBeGreaterThan(zones.length * 3_652)
    },
    3_600_000,
  )

  it.each(ODD)("agree with the reference in %s over two years", (timeZone) => {
    expect(compare(timeZone, Date.UTC(2025, 0, 1), Date.UTC(2027, 0, 1), ["day", "week", "month"])).toBeGreaterThan(800)
  })

  it.each(["Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns", "Europe/Paris", "Africa/Casablanca"])(
    "agree hour by hour in %s around a change of the clock",
    (timeZone) => {
      const zone = new ReferenceZone(timeZone, Date.UTC(2026, 0, 1), Date.UTC(2027, 0, 1))
      for (const { start } of zone.segments) {
        if (start < Date.UTC(2026, 0, 5)) continue
        expect(compare(timeZone, start - 5 * 86_400_000, start + 5 * 86_400_000, ["hour"])).toBeGreaterThan(200)
      }
    },
  )

  it("are as long as the clock of the zone shows", () => {
    const hours = (timeZone: string, now: number) => {
      const { startsAt, endsAt } = calendarWindow("day", timeZone, now)
      return (endsAt - startsAt) / 3_600_000
    }
    expect(hours("Europe/Paris", Date.UTC(2026, 2, 29, 12))).toBe(23)
    expect(hours("Europe/Paris", Date.UTC(2026, 9, 25, 12))).toBe(25)
    expect(hours("Australia/Lord_Howe", Date.UTC(2026, 3, 4, 18))).toBe(24.5)
    // Samoa skipped 30 December 2011.
    expect(calendarWindow("day", "Pacific/Apia", Date.UTC(2011, 11, 30, 9, 59)).endsAt).toBe(Date.UTC(2011, 11, 30, 10))
  })
})

describe("fixed windows", () => {
  it("are counted from 1970 and have no zone", () => {
    const period = readWindow({ per: "90m" }, "limit")
    const now = Date.UTC(2026, 2, 2, 12, 34)
    const window = windowAt(period, now)!
    expect(window.endsAt - window.startsAt).toBe(5_400_000)
    expect(window.startsAt % 5_400_000).toBe(0)
    expect(window.startsAt <= now && now < window.endsAt).toBe(true)
  })

  it.each(["", "1", "1w", "-1h", "1.5h", "01h", "1H", "99999d", "1e3s", " 1h", 3_600, {}])(
    "%j is a usage error",
    (per) => {
      expect(() => readWindow({ per: per as never }, "limit")).toThrowError(/`limit\.per`/)
    },
  )
})

describe("instants in messages", () => {
  it.each([
    [Date.UTC(2026, 10, 30, 23), "Europe/Paris", "2026-12-01T00:00+01:00"],
    [Date.UTC(2026, 6, 1, 22), "Europe/Paris", "2026-07-02T00:00+02:00"],
    [Date.UTC(2026, 2, 2), "UTC", "2026-03-02T00:00Z"],
    [Date.UTC(2026, 2, 2, 0, 0, 7), "UTC", "2026-03-02T00:00:07Z"],
    [Date.UTC(2026, 2, 2, 0, 0, 0, 5), "UTC", "2026-03-02T00:00:00.005Z"],
    [Date.UTC(2026, 2, 2, 3, 30), "America/St_Johns", "2026-03-02T00:00-03:30"],
    [Date.UTC(2026, 2, 1, 18, 15), "Asia/Kathmandu", "2026-03-02T00:00+05:45"],
  ])("%d in %s is %s", (at, timeZone, text) => {
    expect(formatInstant(at, timeZone)).toBe(text)
    expect(Date.parse(text)).toBe(at)
  })
})
