import { InvalidArgumentError } from "./errors"

/** An amount of money in nano-USD (1e-9 USD): a safe integer, so at most $9,007,199.25. */
export type NanoUsd = number

const DOLLARS = /^([+-]?)\$?(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/

/**
 * Converts dollars to nano-USD by their decimal digits, never through a float product: `usd(0.05)`, `usd("0.05")` and
 * `usd("$0.05")` are all `50_000_000`.
 *
 * A string may have at most nine decimals. A number is read in its shortest decimal form; digits beyond nine decimals
 * are float noise and are truncated, so a limit never exceeds the amount that was written.
 *
 * @param argument name of the amount in the error message
 * @throws InvalidArgumentError for anything else, and for more than ±(2^53 − 1) nano-USD
 */
export function usd(amount: number | string, argument = "amount"): NanoUsd {
  const written = typeof amount === "number" ? String(amount) : amount
  const match = typeof written === "string" ? DOLLARS.exec(written.trim()) : null
  const [, sign, whole = "", fraction = "", exponent = "0"] = match ?? []
  if (match === null || whole + fraction === "")
    throw new InvalidArgumentError(argument, 'a dollar amount such as 5 or "5.00"', amount)
  const digits = whole + fraction
  const shift = Number(exponent) - fraction.length + 9
  const end = Math.max(0, digits.length + shift)
  const rest = digits.slice(end)
  if (typeof amount === "string" && /[1-9]/.test(rest))
    throw new InvalidArgumentError(argument, "a dollar amount with at most nine decimals", amount)
  const nanoUsd = Number(digits.padEnd(end, "0").slice(0, end))
  if (!Number.isSafeInteger(nanoUsd))
    throw new InvalidArgumentError(argument, "at most $9,007,199.254740991 (2^53 − 1 nano-USD)", amount)
  return sign === "-" && nanoUsd !== 0 ? -nanoUsd : nanoUsd
}

/**
 * Formats nano-USD as dollars, exactly, with two to nine decimals: `"$0.50"`, `"-$0.000025"`.
 * `usd(formatUsd(n)) === n` for every safe integer.
 */
export function formatUsd(nanoUsd: NanoUsd): string {
  checkNanoUsd(nanoUsd)
  return `${nanoUsd < 0 ? "-" : ""}$${decimalDigits(Math.abs(nanoUsd))}`
}

/** Converts to dollars as a JavaScript number, for display. Not exact: keep the integer too. */
export function toUsdNumber(nanoUsd: NanoUsd): number {
  checkNanoUsd(nanoUsd)
  const dollars = Number(decimalDigits(Math.abs(nanoUsd)))
  return nanoUsd < 0 ? -dollars : dollars
}

function checkNanoUsd(value: unknown): asserts value is NanoUsd {
  if (!Number.isSafeInteger(value))
    throw new InvalidArgumentError("nanoUsd", 'an integer of nano-USD such as usd("0.05"), within ±(2^53 − 1)', value)
}

function decimalDigits(nanoUsd: NanoUsd): string {
  const digits = String(nanoUsd).padStart(10, "0")
  return `${digits.slice(0, -9)}.${digits.slice(-9).replace(/0{1,7}$/, "")}`
}
