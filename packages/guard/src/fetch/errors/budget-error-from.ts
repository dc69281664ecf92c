import { BudgetExceededError, type DeniedLimit } from "@p2/budget"
import { isRecord } from "@p2/core"
import { DENIAL_HEADER } from "../synthetic-response"
import { findInError, readProperty } from "./find-in-error"
import { rememberedDenial } from "./remembered-denials"

/**
 * Finds the budget's denial in the error of an SDK: in the error itself, in its causes and nested errors, in the
 * response's headers, or in the body that the SDK kept. In the process that was denied it is the original error; in another
 * one it is rebuilt from the numbers in the body.
 *
 * @returns undefined if the error is not a denial
 * @example
 * try {
 *   await openai.chat.completions.create({ model, messages })
 * } catch (error) {
 *   const exceeded = budgetErrorFrom(error)
 *   if (exceeded === undefined) throw error
 *   console.log(exceeded.scope, exceeded.remaining, exceeded.retryAfterMs)
 * }
 */
export function budgetErrorFrom(error: unknown): BudgetExceededError | undefined {
  return findInError(error, (value) => (BudgetExceededError.isInstance(value) ? value : denialIn(value)))
}

/** The denial that a body or headers name. */
function denialIn(value: object): BudgetExceededError | undefined {
  const inHeaders = value instanceof Headers ? value.get(DENIAL_HEADER) : readProperty(value, DENIAL_HEADER)
  const details = readProperty(value, "p2")
  const id = inHeaders ?? (isRecord(details) ? details.id : undefined)
  const remembered = typeof id === "string" ? rememberedDenial(id) : undefined
  return remembered ?? (isRecord(details) ? rebuild(details) : undefined)
}

function rebuild({ limits, dueLeases }: Record<string, unknown>): BudgetExceededError | undefined {
  if (!Array.isArray(limits) || limits.length === 0 || !limits.every(isDeniedLimit)) return undefined
  try {
    return new BudgetExceededError(limits as [DeniedLimit, ...DeniedLimit[]], { dueLeases: dueLeases === true })
  } catch {
    return undefined // A time zone that this runtime does not know.
  }
}

const NUMBERS = ["limit", "granted", "spent", "reserved", "remaining", "requested"] as const
const NULLABLE = ["startsAt", "resetsAt", "retryAfterMs"] as const
const EXACT = ["limit", "granted", "spent", "reserved", "remaining", "requested"].map((name) => `${name}NanoUsd`)

/** Whether JSON has every field of a denied limit: the body passed through other programs. */
function isDeniedLimit(value: unknown): value is DeniedLimit {
  if (!isRecord(value)) return false
  const { scope, window, timeZone, unit } = value
  const isMoney = unit === "usd"
  return (
    (typeof scope === "string" || (isRecord(scope) && typeof (scope.tag ?? scope.child) === "string")) &&
    typeof window === "string" &&
    (timeZone === null || typeof timeZone === "string") &&
    (isMoney || unit === "tokens" || unit === "requests") &&
    NUMBERS.every((name) => typeof value[name] === "number") &&
    NULLABLE.every((name) => value[name] === null || typeof value[name] === "number") &&
    EXACT.every((name) => (isMoney ? Number.isSafeInteger(value[name]) : value[name] === null))
  )
}
