import { InvalidArgumentError } from "@p2/core"
import type { ReportedCost } from "./cost-options"

const DECIMAL = /^(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/
const PICO_DIGITS = 12

/** Converts the reported cost to pico-USD. The upstream cost is added to the fee only if the key is the user's own. */
export function reportedPico(reported: ReportedCost): bigint {
  const fee = picoFromDecimal(reported.costUsd, "reported.costUsd")
  if (reported.isByok !== true) return fee
  const upstream = reported.upstreamInferenceCost
  if (upstream === undefined || upstream === null)
    throw new InvalidArgumentError(
      "reported.upstreamInferenceCost",
      "the cost at the upstream provider in USD, because the call used a key of your own",
      upstream,
    )
  return fee + picoFromDecimal(upstream, "reported.upstreamInferenceCost")
}

/**
 * Converts dollars to pico-USD by their decimal digits. Digits beyond pico-USD are rounded up.
 * @param expected for the error message: the message for rates must not suggest a number, because they are strings
 */
export function picoFromDecimal(
  amount: number | string,
  argument: string,
  expected = 'at least 0 dollars, such as 0.05 or "0.05"',
): bigint {
  const written = typeof amount === "number" ? String(amount) : amount
  const match =
    typeof written === "string" && written.length <= 60 ? DECIMAL.exec(written.trim().replace(/^\$/, "")) : null
  const [, whole = "", fraction = "", exponent = "0"] = match ?? []
  if (match === null || whole + fraction === "") throw new InvalidArgumentError(argument, expected, amount)
  const digits = whole + fraction
  const shift = Number(exponent) - fraction.length + PICO_DIGITS
  if (shift >= 0) return BigInt(digits) * 10n ** BigInt(shift)
  const cut = Math.max(0, digits.length + shift)
  return BigInt(digits.slice(0, cut) || "0") + (/[1-9]/.test(digits.slice(cut)) ? 1n : 0n)
}
