import { InvalidArgumentError } from "@p2/core"
import type { Name } from "./name"

const NAME = /^[A-Za-z0-9_.:|=-]{1,64}$/
export const NAME_EXPECTED = "1 to 64 characters of A-Z a-z 0-9 _ . : | = -"
export const NATURAL_EXPECTED = "a safe integer of at least 0"

/** Whether it is a {@link Name}: it can neither leave its partition nor be confused with another. */
export function isName(value: unknown): value is Name {
  return typeof value === "string" && NAME.test(value)
}

/** @throws InvalidArgumentError */
export function checkName(value: unknown, path: string): asserts value is Name {
  if (!isName(value)) throw new InvalidArgumentError(path, NAME_EXPECTED, value)
}

export function isNatural(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

/** @throws InvalidArgumentError */
export function checkNatural(value: unknown, path: string): asserts value is number {
  if (!isNatural(value)) throw new InvalidArgumentError(path, NATURAL_EXPECTED, value)
}

/** The value. @throws InvalidArgumentError unless it is a safe integer from `least` to `most` */
export function checkInteger(value: unknown, least: number, path: string, most = Number.MAX_SAFE_INTEGER): number {
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return value as number
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`
  throw new InvalidArgumentError(path, `a safe integer ${range}`, value)
}
