import { InvalidArgumentError } from "../errors"
import type { RequestIssues } from "./invalid-request-error"

/** Adds an issue if the value is invalid, and returns the value in its normal form. */
export type Check = (value: unknown, path: string, issues: RequestIssues) => unknown

/** Accepts the values that satisfy a condition. */
export function satisfies(expected: string, isValid: (value: unknown) => boolean): Check {
  return (value, path, issues) => {
    if (!isValid(value)) issues.addUnexpected(path, expected, value)
    return value
  }
}

/** Accepts the values that a function accepts, in the form in which the function returns them. */
export function parsedBy<T>(parse: (value: T) => unknown): Check {
  return (value, path, issues) => {
    try {
      return parse(value as T)
    } catch (error) {
      if (!InvalidArgumentError.isInstance(error)) throw error
      issues.addUnexpected(path, error.expected, value)
    }
  }
}

/** A number from `min` to `max`. */
export function number(min: number, max: number): Check {
  return satisfies(
    `a number from ${min} to ${max}`,
    (value) => typeof value === "number" && value >= min && value <= max,
  )
}

/** An integer from `min` to `max`. */
export function integer(min: number, max: number): Check {
  return satisfies(
    `an integer from ${min} to ${max}`,
    (value) => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max,
  )
}

/** A string of 1 to `max` characters that is not blank. */
export function string(max: number): Check {
  return satisfies(
    `a string of 1 to ${max} characters`,
    (value) => typeof value === "string" && value.trim() !== "" && value.length <= max,
  )
}

/** One of some strings. */
export function oneOf(...values: string[]): Check {
  const last = values.at(-1)
  const expected = `${values
    .slice(0, -1)
    .map((value) => `"${value}"`)
    .join(", ")} or "${last}"`
  return satisfies(expected, (value) => values.includes(value as string))
}

/** An array of at most `max` items, each of which passes a check. */
export function array(max: number, check: Check): Check {
  return (value, path, issues) => {
    if (Array.isArray(value) && value.length <= max)
      return Array.from(value, (item, index) => check(item, `${path}[${index}]`, issues))
    return issues.addUnexpected(path, `an array of at most ${max} items`, value)
  }
}

/** Whether a value is an object literal or has no prototype. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}
