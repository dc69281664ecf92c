import { InvalidArgumentError, usd } from "@p2/core"
import type { Amount, AmountInput } from "./budget"

/** An amount after validation; `requests` as given. */
export type GivenAmount = { [Key in keyof Amount]: number | undefined }

/**
 * Reads an amount as callers write it. It may have more fields: the bounds and costs of `@p2/pricing` are amounts. A unit
 * that is missing shows where a limit counts it.
 *
 * @throws InvalidArgumentError
 */
export function readAmount(input: AmountInput, argument: string): GivenAmount {
  if (typeof input !== "object" || input === null)
    throw new InvalidArgumentError(argument, 'an object such as { usd: "0.05" } or { nanoUsd, tokens }', input)
  if (input.usd !== undefined && input.nanoUsd !== undefined)
    throw new InvalidArgumentError(`${argument}.usd`, "absent when `nanoUsd` is given", input.usd)
  const nanoUsd = input.usd === undefined ? input.nanoUsd : usd(input.usd, `${argument}.usd`)
  if (input.usd !== undefined && nanoUsd! < 0)
    throw new InvalidArgumentError(`${argument}.usd`, "at least 0 dollars", input.usd)
  return {
    nanoUsd: readNat(nanoUsd, argument, "nanoUsd"),
    tokens: readNat(input.tokens, argument, "tokens"),
    requests: readNat(input.requests, argument, "requests"),
  }
}

function readNat(value: unknown, argument: string, unit: string): number | undefined {
  if (value === undefined) return undefined
  if (Number.isSafeInteger(value) && (value as number) >= 0) return (value as number) + 0 // −0 is 0.
  throw new InvalidArgumentError(`${argument}.${unit}`, "a whole number from 0 to 2^53 − 1", value)
}
