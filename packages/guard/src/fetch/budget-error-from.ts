import { BudgetExceededError, type DeniedLimit } from "@p2/budget"
import { isRecord, parseJson } from "@p2/core"
import { rememberedDenial } from "./remembered-denials"
import { DENIAL_HEADER } from "./synthetic-response"

/** Errors that are inspected inside an error: SDKs nest a few levels, and errors may form a cycle. */
const MAX_VALUES = 200
/** The longest string that is searched for a body. */
const MAX_TEXT = 1_000_000

/**
 * Finds the budget's denial in whatever an SDK made of it: in the error itself, in its causes and nested errors, in the
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
  const queue: unknown[] = [error]
  const visited = new Set<unknown>()
  // The loop also visits what it adds.
  for (const value of queue) {
    if (BudgetExceededError.isInstance(value)) return value
    if (typeof value === "string") queue.push(bodyInText(value))
    if (typeof value !== "object" || value === null || visited.has(value)) continue
    const found = denialIn(value)
    if (found !== undefined) return found
    visited.add(value)
    if (visited.size < MAX_VALUES) queue.push(...childrenOf(value))
  }
  return undefined
}

/** A property of an error in which an SDK keeps the error of a call, its body or its headers. */
const PROPERTIES = [
  ...["cause", "error", "errors", "lastError", "originalError", "rawError", "reason"],
  ...["headers", "responseHeaders", "response"],
  ...["body", "responseBody", "data", "details", "message"],
] as const

function childrenOf(value: object): unknown[] {
  if (Array.isArray(value)) return value.slice(0, 20)
  return PROPERTIES.map((name) => read(value, name)).filter((child) => child !== undefined && child !== null)
}

/** The denial that a body or headers name. */
function denialIn(value: object): BudgetExceededError | undefined {
  const inHeaders = value instanceof Headers ? value.get(DENIAL_HEADER) : read(value, DENIAL_HEADER)
  const details = read(value, "p2")
  const id = inHeaders ?? (isRecord(details) ? details.id : undefined)
  const remembered = typeof id === "string" ? rememberedDenial(id) : undefined
  return remembered ?? (isRecord(details) ? rebuild(details) : undefined)
}

function read(value: object, name: string): unknown {
  try {
    return (value as Record<string, unknown>)[name]
  } catch {
    return undefined // A getter that throws.
  }
}

/** The JSON object in a message such as `402 {"error":…}`. */
function bodyInText(text: string): unknown {
  const start = text.indexOf("{")
  if (start === -1 || text.length > MAX_TEXT || !text.includes('"p2"')) return undefined
  return parseJson(text.slice(start, text.lastIndexOf("}") + 1))
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
