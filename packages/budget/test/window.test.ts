import { describe, expect, it } from "vitest"
import { type CalendarPeriod, calendarWindow, formatInstant, readWindow, windowAt } from "../src/limits/window"
import { ReferenceZone } from "./window-reference"

const FROM = Date.UTC(2018, 0, 1)
const TO = Date.UTC(2028, 0, 1)
/** Every zone of the runtime with `pnpm check:windows`, or else a sample. */
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

function compare(timeZone: string, from: number, to: number, periods: readonly CalendarPeriod[]): number {
  const zone = new ReferenceZone(timeZone, from, to)
  let compared = 0
  for (const period of periods) {
    const starts = zone.starts(period)
    for (let index = 1; index < starts.length; index++) {
      const [startsAt, endsAt] = [starts[index - 1]!, starts[index]!]
      for (const now of [startsAt, endsAt - 1]) {
        const window = calendarWindow(period, timeZone, now)
        if (window.startsAt !== startsAt || window.endsAt !== endsAt)
          throw new Error(
            `${timeZone} ${period} at ${new Date(now).toISOString()}: expected ${new Date(startsAt).toISOString()} to ` +
              `${new Date(endsAt).toISOString()}, got ${new Date(window.startsAt).toISOString()} to ${new Date(window.endsAt).toISOString()}`,
          )
      }
      compared++
    }
  }
  return compared
}

describe("calendar windows", () => {
  it.runIf(ALL)(
    "agree with the reference in every zone over ten years",
    () => {
      const zones = [...new Set([...ODD, ...Intl.supportedValuesOf("timeZone")])]
      let compared = 0
      for (const timeZone of zones) compared += compare(timeZone, FROM, TO, ["day", "week", "month"])
      console.log(`${zones.length} zones, ${compared} windows of days, weeks and months from 2018 to 2027`)
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
    const period = readWindow("90m", undefined, "limit")
    const now = Date.UTC(2026, 2, 2, 12, 34)
    const window = windowAt(period, now)!
    expect(window.endsAt - window.startsAt).toBe(5_400_000)
    expect(window.startsAt % 5_400_000).toBe(0)
    expect(window.startsAt <= now && now < window.endsAt).toBe(true)
  })

  it.each(["", "1", "1w", "-1h", "1.5h", "01h", "1H", "99999d", "1e3s", " 1h", 3_600, {}])(
    "%j is a usage error",
    (per) => {
      expect(() => readWindow(per, undefined, "limit")).toThrowError(/`limit\.per`/)
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
