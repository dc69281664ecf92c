import { InvalidArgumentError } from "./errors"

/**
 * An amount of money in nano-USD (1e-9 USD): a safe integer. 2^53 − 1 nano-USD is $9,007,199.25; amounts beyond are
 * refused as mistakes.
 */
export type NanoUsd = number

/** Nano-USD in one USD. */
export const NANO_PER_USD = 1_000_000_000

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/

/**
 * Dollars to nano-USD, by their decimal digits and never through a float product: `usd("0.05")` and `usd(0.05)` are
 * both `50_000_000`.
 *
 * A string must have at most nine decimals. A number is taken by its shortest decimal form and what float noise adds
 * beyond nine decimals is dropped, rounding towards zero: a limit is never more than what was said.
 *
 * @throws InvalidArgumentError for anything that is not a finite decimal number within ±2^53 − 1 nano-USD.
 */
export function usd(amount: number | string, argument = "amount"): NanoUsd {
  const text = typeof amount === "number" ? String(amount) : amount
  const match = typeof text === "string" ? DECIMAL.exec(text.trim().replace(/^\$/, "")) : null
  const [, sign, whole = "", fraction = "", exponent = "0"] = match ?? []
  if (match === null || whole + fraction === "")
    throw new InvalidArgumentError(argument, 'dollars such as 0.05 or "0.05"', amount)
  const digits = whole + fraction
  const shift = Number(exponent) - fraction.length + 9
  const end = Math.max(0, digits.length + shift)
  const dropped = digits.slice(end)
  if (typeof amount === "string" && /[1-9]/.test(dropped))
    throw new InvalidArgumentError(argument, "dollars with at most nine decimals", amount)
  const nano = Number(digits.padEnd(end, "0").slice(0, end))
  if (!Number.isSafeInteger(nano))
    throw new InvalidArgumentError(argument, "at most $9,007,199.254740991 (2^53 − 1 nano-USD)", amount)
  return sign === "-" && nano !== 0 ? -nano : nano
}

/**
 * Nano-USD as dollars in decimal digits, exactly, with two to nine decimals and no sign of currency: `"0.05"`.
 * `usd(formatUsd(n)) === n` for every safe integer.
 */
export function formatUsd(nanoUsd: NanoUsd): string {
  checkNanoUsd(nanoUsd, "nanoUsd")
  const digits = String(Math.abs(nanoUsd)).padStart(10, "0")
  const fraction = digits.slice(-9).replace(/0{1,7}$/, "")
  return `${nanoUsd < 0 ? "-" : ""}${digits.slice(0, -9)}.${fraction}`
}

/** Nano-USD as a JavaScript number of dollars, for people and for the guide's fields. Not exact: keep the integer beside it. */
export function toUsdNumber(nanoUsd: NanoUsd): number {
  return Number(formatUsd(nanoUsd))
}

/** Throws unless `value` is a safe integer. */
export function checkNanoUsd(value: unknown, argument: string): asserts value is NanoUsd {
  if (!Number.isSafeInteger(value))
    throw new InvalidArgumentError(argument, "an integer of nano-USD within ±(2^53 − 1)", value)
}
