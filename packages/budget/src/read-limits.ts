import { checkNames, InvalidArgumentError, usd } from "@p2/core"
import { familyOf } from "./cell-key"
import type { Limit } from "./limit"
import { readAmount } from "./read-amount"
import type { Scope, Unit } from "./subject"
import { readWindowing, type Windowing } from "./window"

const DAY_MS = 86_400_000
const MAX_LIMITS = 64
const UNIT_NAMES: ReadonlySet<string> = new Set(["usd", "nanoUsd", "tokens", "requests"])
const SCOPE_NAMES: ReadonlySet<string> = new Set(["tag"])
const UNITS: readonly Unit[] = ["nanoUsd", "tokens", "requests"]

/** What a limit may be told. */
export const LIMIT_NAMES: ReadonlySet<string> = new Set([
  "scope",
  "limit",
  "per",
  "timeZone",
  "alertAt",
  "optional",
  "forgetAfterMs",
])

/** A limit in one unit, after validation. */
export interface ReadLimit {
  scope: Scope
  unit: Unit
  /** Null: only count. */
  limit: number | null
  windowing: Windowing
  alerts: readonly { fraction: number; at: number }[]
  optional: boolean
  keepMs: number | null
  family: string
}

/** Reads a list of limits; a limit with several units becomes several. @throws InvalidArgumentError */
export function readLimits(limits: readonly Limit[], argument: string): ReadLimit[] {
  if (!Array.isArray(limits) || limits.length > MAX_LIMITS)
    throw new InvalidArgumentError(argument, `a list of at most ${MAX_LIMITS} limits`, limits)
  return limits.flatMap((limit, index) => readLimit(limit, `${argument}[${index}]`))
}

function readLimit(input: Limit, argument: string): ReadLimit[] {
  if (typeof input !== "object" || input === null)
    throw new InvalidArgumentError(argument, 'a limit such as { scope: "user", limit: "1.00", per: "day" }', input)
  checkNames(input, LIMIT_NAMES, argument)
  const scope = readScope(input.scope, `${argument}.scope`)
  const windowing = readWindowing(input.per, input.timeZone, argument)
  const keepMs = readKeepMs(input, windowing, `${argument}.forgetAfterMs`)
  const optional = input.optional ?? false
  return readAmounts(input.limit, `${argument}.limit`).map(([unit, limit]) => {
    const alerts = readAlerts(input.alertAt, limit, `${argument}.alertAt`)
    return { scope, unit, limit, windowing, alerts, optional, keepMs, family: familyOf(scope, unit, windowing) }
  })
}

function readScope(scope: unknown, argument: string): Scope {
  if (["request", "user", "client", "total", "model"].includes(scope as string)) return scope as Scope
  const tag = typeof scope === "object" && scope !== null ? (scope as { tag?: unknown }).tag : undefined
  if (typeof tag === "string" && tag !== "") {
    checkNames(scope as object, SCOPE_NAMES, argument)
    return { tag }
  }
  throw new InvalidArgumentError(argument, '"request", "user", "client", "total", "model" or { tag: "team" }', scope)
}

function readAmounts(limit: Limit["limit"], argument: string): [Unit, number | null][] {
  if (limit === null) return [["nanoUsd", null]]
  // A unit that does not exist would limit nothing.
  if (typeof limit === "object") checkNames(limit, UNIT_NAMES, argument)
  const amounts = readAmount(typeof limit === "object" ? limit : { usd: limit }, argument)
  const given = UNITS.flatMap((unit): [Unit, number][] => {
    const amount = amounts[unit]
    return amount === undefined ? [] : [[unit, amount]]
  })
  if (given.length > 0) return given
  throw new InvalidArgumentError(
    argument,
    'dollars such as "1.00", or at least one of usd, nanoUsd, tokens, requests',
    limit,
  )
}

function readKeepMs(input: Limit, windowing: Windowing, argument: string): number | null {
  const { forgetAfterMs } = input
  if (windowing.kind !== "total" && forgetAfterMs !== undefined)
    throw new InvalidArgumentError(argument, "absent, because a window is forgotten after its end", forgetAfterMs)
  if (windowing.kind !== "total") return null
  if (forgetAfterMs === undefined) return input.scope === "request" ? DAY_MS : null
  if (Number.isSafeInteger(forgetAfterMs) && forgetAfterMs >= 1) return forgetAfterMs
  throw new InvalidArgumentError(argument, "milliseconds, a whole number of at least 1", forgetAfterMs)
}

function readAlerts(alertAt: unknown, limit: number | null, argument: string): ReadLimit["alerts"] {
  if (alertAt === undefined) return []
  if (!Array.isArray(alertAt) || alertAt.length > 16)
    throw new InvalidArgumentError(argument, "a list of at most 16 fractions such as [0.5, 0.8, 1]", alertAt)
  if (limit === null)
    throw new InvalidArgumentError(argument, "absent, because there is no limit to take fractions of", alertAt)
  const alerts = alertAt.map((fraction: unknown, index) => {
    if (typeof fraction !== "number" || !(fraction > 0 && fraction <= 10))
      throw new InvalidArgumentError(`${argument}[${index}]`, "a fraction of the limit, above 0 and up to 10", fraction)
    // By decimal digits, so that 0.8 of a limit is not a nano-dollar more; rounded up: not before the fraction is spent.
    const billionths = BigInt(usd(fraction, `${argument}[${index}]`))
    const at = (BigInt(limit) * billionths + 999_999_999n) / 1_000_000_000n
    return { fraction, at: Math.max(1, Math.min(Number(at), Number.MAX_SAFE_INTEGER)) }
  })
  // Each fires once, also when it is named twice, and the lower before the higher.
  const known = new Map(alerts.map((alert) => [alert.fraction, alert]))
  return [...known.values()].sort((a, b) => a.fraction - b.fraction)
}

/** The limit of a child budget: endless, idle cells leave after a day. */
export function childLimit(id: string, limit: Exclude<Limit["limit"], null>): ReadLimit[] {
  if (limit === null)
    throw new InvalidArgumentError("child.limit", "a limit: a child that only counts limits nothing", limit)
  const scope: Scope = { child: id }
  const windowing = readWindowing("total", undefined, "child")
  return readAmounts(limit, "child.limit").map(([unit, amount]) => ({
    scope,
    unit,
    limit: amount,
    windowing,
    alerts: [],
    optional: false,
    keepMs: DAY_MS,
    family: familyOf(scope, unit, windowing),
  }))
}
