import { InvalidArgumentError } from "@p2/core"

/** Epoch milliseconds. In replies and requests of a store: by the store's clock. */
export type Millis = number

/** 1 to 64 characters of `A-Z a-z 0-9 _ . : | = -`: partitions, idempotency keys and counter names. They compare as bytes. */
export type Name = string

/** The first invalid part of a value. */
export interface Defect {
  /** `.counters[0].amount`; empty: the value itself. */
  path: string
  expected: string
  value: unknown
}

/** Validates a value. Returns its first defect; undefined: it is valid. */
export type Shape = (value: unknown) => Defect | undefined

const MAX = Number.MAX_SAFE_INTEGER
const NAME = /^[A-Za-z0-9_.:|=-]{1,64}$/
/** The latest time of a request or a reply: JavaScript's calendar ends 40 days later, so that windows can be computed. */
export const MAX_TIME = 8_640_000_000_000_000 - 40 * 86_400_000

/** The longest delay of a timer; Node fires longer ones immediately. */
export const MAX_TIMER_MS = 2 ** 31 - 1

/** Whether it is a {@link Name}: it can neither leave its partition nor be confused with another. */
export function isName(value: unknown): value is Name {
  return typeof value === "string" && NAME.test(value)
}

export function isNatural(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

export function shape(expected: string, isValid: (value: unknown) => boolean): Shape {
  return (value) => (isValid(value) ? undefined : { path: "", expected, value })
}

export const name = shape("1 to 64 characters of A-Z a-z 0-9 _ . : | = -", isName)
export const natural = shape("a safe integer of at least 0", isNatural)
export const integer = shape("a safe integer", Number.isSafeInteger)
export const boolean = shape("true or false", (value) => typeof value === "boolean")
export const string = shape("a string", (value) => typeof value === "string")
export const time = shape("a time in epoch milliseconds", (value) => isNatural(value) && value <= MAX_TIME)

export function integerFrom(least: number, most = MAX): Shape {
  const isValid = (value: unknown) =>
    Number.isSafeInteger(value) && least <= (value as number) && (value as number) <= most
  const range = most === MAX ? `of at least ${least}` : `from ${least} to ${most}`
  return shape(least === 1 && most === MAX ? "a positive integer" : `an integer ${range}`, isValid)
}

/** Milliseconds, at most 100 years, so that times remain safe integers. */
export const duration = integerFrom(1, 3_155_760_000_000)

export function oneOf(...values: readonly unknown[]): Shape {
  const names = values.map((value) => JSON.stringify(value))
  return shape(`one of ${names.join(", ")}`, (value) => values.includes(value))
}

export function nullable(inner: Shape): Shape {
  return (value) => {
    const defect = value === null ? undefined : inner(value)
    return defect && (defect.path === "" ? { ...defect, expected: `null, or ${defect.expected}` } : defect)
  }
}

export function optional(inner: Shape): Shape {
  return (value) => (value === undefined ? undefined : inner(value))
}

export function listOf(item: Shape, most = MAX): Shape {
  return (value) => {
    if (!Array.isArray(value) || value.length > most)
      return { path: "", expected: most === MAX ? "an array" : `an array of at most ${most}`, value }
    for (let index = 0; index < value.length; index++) {
      const defect = item(value[index])
      if (defect !== undefined) return { ...defect, path: `[${index}]${defect.path}` }
    }
    return undefined
  }
}

/** Fields that are not listed are ignored. */
export function objectOf(fields: Fields): Shape {
  const names = Object.keys(fields)
  const shapes = Object.values(fields)
  return (value) => {
    if (typeof value !== "object" || value === null) return { path: "", expected: "an object", value }
    for (let index = 0; index < names.length; index++) {
      const field = names[index]!
      const defect = shapes[index]!((value as Record<string, unknown>)[field])
      if (defect !== undefined) return { ...defect, path: `.${field}${defect.path}` }
    }
    return undefined
  }
}

/** An object of at most `most` values under strings. A defect does not show the key, which may be a user's. */
export function mapOf(key: Shape, item: Shape, most: number): Shape {
  return (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      return { path: "", expected: "an object", value }
    const pairs = Object.entries(value)
    if (pairs.length > most) return { path: "", expected: `an object of at most ${most} fields`, value }
    for (const [each, element] of pairs) {
      const defect = key(each) ?? item(element)
      if (defect !== undefined) return defect
    }
    return undefined
  }
}

type Fields = Readonly<Record<string, Shape>>

/** An object whose `status` selects its fields, apart from those that are common to all. */
export function byStatus(common: Fields, fields: Readonly<Record<string, Fields>>): Shape {
  const shapes = new Map(Object.entries(fields).map(([status, own]) => [status, objectOf({ ...common, ...own })]))
  const withStatus = objectOf({ status: oneOf(...shapes.keys()) })
  return (value) => (shapes.get((value as { status: string } | null)?.status ?? "") ?? withStatus)(value)
}

/** A shape with a rule for values that have the shape. */
export function both<T>(first: Shape, second: (value: T) => Defect | undefined): Shape {
  return (value) => first(value) ?? second(value as T)
}

/**
 * Returns a value that has the shape. `argument` is its name, if it has one.
 * @throws InvalidArgumentError for the first defect
 */
export function check<T>(value: T, inner: Shape, argument = ""): T {
  const defect = inner(value)
  if (defect === undefined) return value
  const path = `${argument}${defect.path}`.replace(/^\./, "")
  throw new InvalidArgumentError(path === "" ? "request" : path, defect.expected, defect.value)
}
