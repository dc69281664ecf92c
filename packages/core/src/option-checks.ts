import { InvalidArgumentError } from "./errors"

/** Says what is wrong at a path; the check goes on. */
export type Report = (path: string, expected: string, received: unknown) => void

/** Reports what is wrong with a value, and returns the value in its normal form. */
export type Check = (value: unknown, path: string, report: Report) => unknown

/** A check that takes what a test takes, as it is. */
export function rule(expected: string, fits: (value: unknown) => boolean): Check {
  return (value, path, report) => {
    if (!fits(value)) report(path, expected, value)
    return value
  }
}

/** A check that takes what a function takes, as the function returns it. */
export function parsed<T>(parse: (value: T) => unknown): Check {
  return (value, path, report) => {
    try {
      return parse(value as T)
    } catch (error) {
      if (!(error instanceof InvalidArgumentError)) throw error
      report(path, error.expected, value)
    }
  }
}

/** A number within bounds, both allowed. */
export function number(min: number, max: number, whole = false): Check {
  return rule(
    `${whole ? "an integer" : "a number"} from ${min} to ${max}`,
    (value) => typeof value === "number" && value >= min && value <= max && (!whole || Number.isSafeInteger(value)),
  )
}

/** A text that says something. */
export function text(max: number): Check {
  return rule(
    `a text of 1 to ${max} characters`,
    (value) => typeof value === "string" && value.trim() !== "" && value.length <= max,
  )
}

/** A list of which every item passes a check. */
export function list(max: number, check: Check): Check {
  return (value, path, report) => {
    if (Array.isArray(value) && value.length <= max)
      return Array.from(value, (item, index) => check(item, `${path}[${index}]`, report))
    return report(path, `a list of at most ${max}`, value)
  }
}

/** Whether a value is an object literal, or one without a prototype. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}
