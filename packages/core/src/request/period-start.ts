import { InvalidArgumentError } from "../errors"
import { checkOptions } from "../options/check-options"

/** When a calendar period starts, by the clock of its time zone. */
export interface PeriodStart {
  /** Hour of the day, 0 to 23; for days, weeks, months and quarters. @defaultValue 0 */
  hour?: number | undefined
  /** Day of the month, 1 to 28; for months, and for quarters in their first month. @defaultValue 1 */
  day?: number | undefined
  /** First day of a week. @defaultValue "monday" */
  weekday?: Weekday | undefined
}

export type Weekday = "monday" | "tuesday" | "wednesday" | "thursday" | "friday" | "saturday" | "sunday"

const WEEKDAYS: readonly unknown[] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

/** The fields that a period accepts. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  day: ["hour"],
  week: ["hour", "weekday"],
  month: ["hour", "day"],
  quarter: ["hour", "day"],
}
const NAMES: ReadonlySet<string> = new Set(["hour", "day", "weekday"])
const HOUR_MS = 3_600_000

/**
 * How much later than midnight of its first day a calendar period starts, in milliseconds.
 * @param argument path of `start`, such as `limits[0].start`
 * @throws InvalidArgumentError
 */
export function readPeriodStart(start: unknown, per: unknown, argument: string): number {
  if (start === undefined) return 0
  const fields = FIELDS[String(per)]
  if (fields === undefined)
    throw new InvalidArgumentError(argument, "absent, because only day, week, month and quarter have a start", start)
  checkOptions(start, NAMES, argument)
  for (const name of NAMES)
    if (!fields.includes(name) && (start as Record<string, unknown>)[name] !== undefined)
      throw new InvalidArgumentError(`${argument}.${name}`, `absent for the period ${String(per)}`, start)
  const { hour = 0, day = 1, weekday = "monday" } = start as PeriodStart
  if (!isInteger(hour, 0, 23)) throw new InvalidArgumentError(`${argument}.hour`, "an integer from 0 to 23", hour)
  if (!isInteger(day, 1, 28))
    throw new InvalidArgumentError(
      `${argument}.day`,
      "an integer from 1 to 28, because every month has these days",
      day,
    )
  if (!WEEKDAYS.includes(weekday))
    throw new InvalidArgumentError(`${argument}.weekday`, `one of ${WEEKDAYS.join(", ")}`, weekday)
  return (24 * (day - 1 + WEEKDAYS.indexOf(weekday)) + hour) * HOUR_MS
}

function isInteger(value: unknown, min: number, max: number): boolean {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max
}
