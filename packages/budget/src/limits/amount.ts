import { checkOptions, InvalidArgumentError, type NanoUsd, usd } from "@p2/core"
import type { Unit } from "./subject"

/**
 * An amount as callers write it: dollars (`0.05`, `"0.05"`, `"$0.05"`) or an object of units. Results of `upperBound()`
 * and `costOf()` of `@p2/pricing` fit as they are: fields that are not listed here are ignored when `nanoUsd` is present.
 */
export type AmountInput =
  | number
  | string
  | {
      /** Dollars; cannot be combined with `nanoUsd`. */
      usd?: number | string | undefined
      nanoUsd?: NanoUsd | undefined
      /** Input plus output tokens. */
      tokens?: number | undefined
      /** @defaultValue 1 */
      requests?: number | undefined
    }

/** An amount by unit; undefined if the caller gave none. */
export interface Amount {
  readonly nanoUsd: NanoUsd | undefined
  readonly tokens: number | undefined
  readonly requests: number
}

/** An amount as the caller gave it, by unit. */
export type GivenAmount = Readonly<Record<Unit, number | undefined>>

export const UNITS: readonly Unit[] = ["nanoUsd", "tokens", "requests"]
/** 2^53 − 1 nano-USD. */
const MAX_DOLLARS = 9_007_199
const AMOUNT_NAMES: ReadonlySet<string> = new Set(["usd", ...UNITS])

const TOKENS =
  "Did you mean `tokens`, input plus output? `costOf` and `upperBound` of @p2/pricing return amounts with dollars."
const AMOUNT_ADVICE = {
  cost: "Did you mean `usd`?",
  costNanoUsd: "Did you mean `nanoUsd`?",
  inputTokens: TOKENS,
  outputTokens: TOKENS,
} as const

/** @throws InvalidArgumentError */
export function readAmount(input: AmountInput, argument: string): GivenAmount {
  if (typeof input === "number" || typeof input === "string")
    return { nanoUsd: readDollars(input, argument), tokens: undefined, requests: undefined }
  if (typeof input !== "object" || input === null || Array.isArray(input) || "then" in input)
    throw new InvalidArgumentError(argument, 'dollars such as "0.05", or an object such as { nanoUsd, tokens }', input)
  if (input.nanoUsd === undefined) checkUnits(input, argument)
  else if (input.usd !== undefined)
    throw new InvalidArgumentError(`${argument}.usd`, "absent when `nanoUsd` is given", input.usd)
  return {
    nanoUsd:
      input.usd === undefined
        ? readCount(input.nanoUsd, `${argument}.nanoUsd`)
        : readDollars(input.usd, `${argument}.usd`),
    tokens: readCount(input.tokens, `${argument}.tokens`),
    requests: readCount(input.requests, `${argument}.requests`),
  }
}

/** Rejects unknown units: a misspelled unit must not be ignored. @throws InvalidArgumentError */
export function checkUnits(input: object, argument: string): void {
  checkOptions(input, AMOUNT_NAMES, argument, AMOUNT_ADVICE)
}

/** Whether no unit was given. */
export function isEmpty(amount: GivenAmount): boolean {
  return UNITS.every((unit) => amount[unit] === undefined)
}

/** The amount of a unit that a limit counts. @throws InvalidArgumentError if the caller did not give it */
export function amountOf(unit: Unit, amount: Amount): number {
  const value = amount[unit]
  if (value !== undefined) return value
  if (unit === "nanoUsd")
    throw new InvalidArgumentError(
      "amount",
      'dollars such as "0.05" or { nanoUsd }, because a limit counts dollars',
      amount,
    )
  throw new InvalidArgumentError(`amount.${unit}`, `an upper bound, because a limit counts ${unit}`, value)
}

function readDollars(dollars: number | string, argument: string): NanoUsd {
  if (typeof dollars === "number" && dollars > MAX_DOLLARS)
    throw new InvalidArgumentError(
      argument,
      `at most ${MAX_DOLLARS} dollars (nano-USD are written { nanoUsd })`,
      dollars,
    )
  const nanoUsd = usd(dollars, argument)
  if (nanoUsd < 0) throw new InvalidArgumentError(argument, "at least 0 dollars", dollars)
  return nanoUsd
}

function readCount(value: unknown, argument: string): number | undefined {
  if (value === undefined) return undefined
  if (Number.isSafeInteger(value) && (value as number) >= 0) return (value as number) + 0 // −0 becomes 0.
  throw new InvalidArgumentError(argument, "an integer from 0 to 2^53 − 1", value)
}
