import { describeName, InvalidArgumentError } from "../errors"
import { type NanoUsd, usd } from "../money"
import { adviceFor } from "../options/check-options"
import type { BudgetPeriod, RequestBudget } from "./budget-input"
import type { RequestIssues } from "./invalid-request-error"
import { type Check, parsedBy } from "./option-checks"
import { readPeriodStart } from "./period-start"

const BUDGET_NAMES: ReadonlySet<string> = new Set(["limit", "per", "timeZone", "start", "alertAt", "carryOver"])
const PERIOD = /^(total|(hour|day|week|month|quarter)|[1-9]\d{0,6}[smhd])$/

/** A dollar amount of at least 0. @throws InvalidArgumentError */
export function readAmount(amount: string): NanoUsd {
  const nanoUsd = usd(amount)
  if (nanoUsd < 0) throw new InvalidArgumentError("amount", "a dollar amount of at least 0", amount)
  return nanoUsd
}

/** Checks `userBudget` and `clientBudget`. */
export const checkBudget: Check = (value, path, issues) => {
  const isObject = typeof value === "object" && value !== null
  const given = (isObject ? value : { limit: value }) as Record<string, unknown>
  const { limit, per = "total", timeZone, start, alertAt, carryOver } = given
  const limitNanoUsd = parsedBy(readAmount)(limit, isObject ? `${path}.limit` : path, issues) as NanoUsd
  const period = typeof per === "string" ? PERIOD.exec(per) : null
  if (period === null)
    issues.addUnexpected(
      `${path}.per`,
      '"total", "hour", "day", "week", "month", "quarter" or a length such as "90m"',
      per,
    )
  checkTimeZone(timeZone, period === null || period[2] !== undefined, path, issues)
  if (period !== null) checkStart(start, period[0], path, issues)
  if (carryOver !== undefined && !isCarryOver(carryOver))
    issues.addUnexpected(`${path}.carryOver`, "true, false or a fraction from 0 to 10", carryOver)
  else if (carryOver !== undefined && per === "total")
    issues.addUnexpected(`${path}.carryOver`, "no value: without a window nothing is carried over", carryOver)
  if (alertAt !== undefined && !areFractions(alertAt))
    issues.addUnexpected(
      `${path}.alertAt`,
      "an array of at most 16 fractions above 0 and up to 10, such as [0.5, 0.8, 1]",
      alertAt,
    )
  for (const name of Object.keys(given))
    if (!BUDGET_NAMES.has(name))
      issues.add(`${path}.${describeName(name)}`, `unknown option.${adviceFor(name, BUDGET_NAMES)}`)
  const budget = { limitNanoUsd, per: per as BudgetPeriod, timeZone: (timeZone as string) ?? "UTC" }
  const more = { start, alertAt, carryOver } as Pick<RequestBudget, "start" | "alertAt" | "carryOver">
  return Object.freeze(Object.assign(budget, dropUndefined(more)))
}

function checkTimeZone(timeZone: unknown, isCalendar: boolean, path: string, issues: RequestIssues): void {
  if (timeZone === undefined) return
  if (!isTimeZone(timeZone))
    issues.addUnexpected(`${path}.timeZone`, 'an IANA time zone such as "Europe/Paris"', timeZone)
  else if (!isCalendar)
    issues.addUnexpected(
      `${path}.timeZone`,
      'no value: only "hour", "day", "week", "month" and "quarter" have a time zone',
      timeZone,
    )
}

function checkStart(start: unknown, per: string, path: string, issues: RequestIssues): void {
  try {
    readPeriodStart(start, per, `${path}.start`)
  } catch (error) {
    if (!InvalidArgumentError.isInstance(error)) throw error
    issues.add(error.argument, error.message.replace(/^Invalid `[^`]*`: |\.$/g, ""))
  }
}

/** Whether the value of `carryOver` is valid. */
export function isCarryOver(value: unknown): value is boolean | number {
  return typeof value === "boolean" || (typeof value === "number" && value >= 0 && value <= 10)
}

function areFractions(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.length <= 16 &&
    value.every((fraction) => typeof fraction === "number" && fraction > 0 && fraction <= 10)
  )
}

function dropUndefined<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>
}

function isTimeZone(value: unknown): boolean {
  try {
    return typeof value === "string" && new Intl.DateTimeFormat("en", { timeZone: value }) !== undefined
  } catch {
    return false
  }
}
