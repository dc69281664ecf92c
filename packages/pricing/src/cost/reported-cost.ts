import { InvalidArgumentError } from "@p2/core"
import type { ReportedCost } from "../table/price-table"

const DECIMAL = /^(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/
const PICO_DIGITS = 12

/** What the provider says, in pico-USD: OpenRouter's rule is that the upstream cost is beside the fee only with the user's own key. */
export function reportedPico(reported: ReportedCost): bigint {
  const fee = picoFromDecimal(reported.costUsd, "reported.costUsd")
  if (reported.isByok !== true) return fee
  const upstream = reported.upstreamInferenceCost
  if (upstream === undefined || upstream === null)
    throw new InvalidArgumentError(
      "reported.upstreamInferenceCost",
      "the upstream's cost in USD, because the call went through a key of the user's own",
      upstream,
    )
  return fee + picoFromDecimal(upstream, "reported.upstreamInferenceCost")
}

/**
 * Dollars to pico-USD by their decimal digits; what is finer than that is rounded up.
 * @param expected what the message asks for: rates are refused as numbers, so theirs must not offer any
 */
export function picoFromDecimal(
  amount: number | string,
  argument: string,
  expected = "dollars of at least 0, as a number or a decimal string",
): bigint {
  const text = typeof amount === "number" ? String(amount) : amount
  const match = typeof text === "string" && text.length <= 60 ? DECIMAL.exec(text.trim()) : null
  const [, whole = "", fraction = "", exponent = "0"] = match ?? []
  if (match === null || whole + fraction === "") throw new InvalidArgumentError(argument, expected, amount)
  const digits = whole + fraction
  const shift = Number(exponent) - fraction.length + PICO_DIGITS
  if (shift >= 0) return BigInt(digits) * 10n ** BigInt(shift)
  const cut = Math.max(0, digits.length + shift)
  return BigInt(digits.slice(0, cut) || "0") + (/[1-9]/.test(digits.slice(cut)) ? 1n : 0n)
}
