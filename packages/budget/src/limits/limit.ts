import { checkOptions, InvalidArgumentError, type PeriodStart, usd } from "@p2/core"
import { check, duration } from "../store/shape"
import { checkUnits, isEmpty, readAmount, UNITS } from "./amount"
import type { Scope, Subject, Unit } from "./subject"
import { type LimitWindow, longestMs, readWindow, type WindowPeriod } from "./window"

/** How much a limit allows, by unit. Dollars as `usd` (`5`, `"5.00"`, `"$5.00"`) or as integer `nanoUsd`. */
export interface LimitAmounts {
  usd?: number | string | undefined
  nanoUsd?: number | undefined
  tokens?: number | undefined
  requests?: number | undefined
}

/** One limit: whose spending, how much, over which time. */
export interface Limit {
  scope: Scope
  /** Dollars (`5`, `"5.00"`), amounts by unit, or null: counts dollars and denies nothing. */
  limit: number | string | LimitAmounts | null
  /** @defaultValue "total" */
  per?: WindowPeriod | undefined
  /** IANA name; only for calendar periods. @defaultValue "UTC" */
  timeZone?: string | undefined
  /**
   * When a calendar period starts, by the clock of its time zone: `{ hour: 6 }`, `{ day: 15 }`, `{ weekday: "sunday" }`.
   * @defaultValue midnight of its first day; weeks start on Monday
   */
  start?: PeriodStart | undefined
  /** Fractions of the limit, such as `[0.5, 0.8, 1]`, at which `onAlert` is called. */
  alertAt?: readonly number[] | undefined
  /**
   * Adds what remained of one window to the next one, in its first reserve: `true` at most the limit, a number at most this
   * fraction of it (up to 10). What is still reserved does not remain, and a window without spending carries nothing.
   * @defaultValue false
   */
  carryOver?: boolean | number | undefined
  /** Skips this limit for subjects that lack its scope, instead of throwing a usage error. @defaultValue false */
  optional?: boolean | undefined
  /**
   * Only without a window: how long after its last use a counter is forgotten, in milliseconds.
   * @defaultValue 24 hours for `request` and children, otherwise never
   */
  forgetAfterMs?: number | undefined
}

/** Limits as a list, or as a function of the subject. */
export type Limits = readonly Limit[] | ((subject: Subject) => readonly Limit[] | Promise<readonly Limit[]>)

const DAY_MS = 86_400_000
const MAX_LIMITS = 64
const MAX_ALERTS = 16
const SCOPES: readonly unknown[] = ["request", "user", "client", "total", "model"]
const SCOPE_NAMES: ReadonlySet<string> = new Set(["tag"])
const LIMIT_NAMES: ReadonlySet<string> = new Set([
  "scope",
  "limit",
  "per",
  "timeZone",
  "start",
  "alertAt",
  "carryOver",
  "optional",
  "forgetAfterMs",
])

/** A limit in one unit, validated. */
export interface PlannedLimit {
  scope: Scope
  unit: Unit
  /** In the unit of the limit; null: only counts. */
  limit: number | null
  window: LimitWindow
  /** Ascending. */
  alerts: readonly Threshold[]
  /** Maximum that is carried over from the previous window, in the unit of the limit. */
  carryOver: number
  optional: boolean
  /** How long after its last use a counter without a window is forgotten; null: never. */
  keepMs: number | null
}

/** A fraction of `alertAt`, and the spent amount at which it is crossed. */
export interface Threshold {
  fraction: number
  spent: number
}

/** The plans of lists that cannot change: calls that pass the same frozen list have it planned once. */
const plansOfFrozen = new WeakMap<readonly Limit[], readonly PlannedLimit[]>()

/** Validates limits. A limit in several units becomes several. @throws InvalidArgumentError */
export function planLimits(limits: readonly Limit[], argument: string): readonly PlannedLimit[] {
  const earlier = plansOfFrozen.get(limits)
  if (earlier !== undefined) return earlier
  if (!Array.isArray(limits) || limits.length > MAX_LIMITS)
    throw new InvalidArgumentError(argument, `an array of at most ${MAX_LIMITS} limits`, limits)
  const planned = limits.flatMap((limit, index) => planLimit(limit, `${argument}[${index}]`))
  if (isFrozen(limits)) plansOfFrozen.set(limits, planned)
  return planned
}

/** Whether a value cannot change, with everything in it. */
function isFrozen(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true
  return Object.isFrozen(value) && Object.values(value).every(isFrozen)
}

/** The limit of a child budget. It has no window, and its counter is forgotten a day after its last use. */
export function planChildLimit(id: string, limit: Exclude<Limit["limit"], null>): PlannedLimit[] {
  if (limit === null)
    throw new InvalidArgumentError("limit", "a limit, because a child without one limits nothing", limit)
  const window = readWindow({}, "child")
  return readLimitAmounts(limit, "limit").map(([unit, amount]) => ({
    scope: { child: id },
    unit,
    limit: amount,
    window,
    alerts: [],
    carryOver: 0,
    optional: false,
    keepMs: DAY_MS,
  }))
}

function planLimit(input: Limit, argument: string): PlannedLimit[] {
  if (typeof input !== "object" || input === null)
    throw new InvalidArgumentError(argument, 'a limit such as { scope: "user", limit: "1.00", per: "day" }', input)
  checkOptions(input, LIMIT_NAMES, argument)
  const scope = readScope(input.scope, `${argument}.scope`)
  const window = readWindow(input, argument)
  const carryOver = readCarryOver(input, window, `${argument}.carryOver`)
  // A window that is carried over is kept until the next one ends.
  const keepMs = carryOver === 0 ? readKeepMs(input, window, `${argument}.forgetAfterMs`) : longestMs(window)
  const optional = input.optional ?? false
  if (typeof optional !== "boolean") throw new InvalidArgumentError(`${argument}.optional`, "a boolean", optional)
  return readLimitAmounts(input.limit, `${argument}.limit`).map(([unit, limit]) => {
    const alerts = readAlerts(input.alertAt, limit, `${argument}.alertAt`)
    const carried = carryOver === 0 ? 0 : thresholdOf(carryOver, limit!, 0)
    return { scope, unit, limit, window, alerts, carryOver: carried, optional, keepMs }
  })
}

function readScope(scope: unknown, argument: string): Scope {
  if (SCOPES.includes(scope)) return scope as Scope
  if (typeof scope === "object" && scope !== null && "tag" in scope) {
    checkOptions(scope, SCOPE_NAMES, argument)
    if (typeof scope.tag === "string" && scope.tag !== "") return { tag: scope.tag }
  }
  throw new InvalidArgumentError(argument, '"request", "user", "client", "total", "model" or { tag: "team" }', scope)
}

function readLimitAmounts(limit: Limit["limit"], argument: string): [Unit, number | null][] {
  if (limit === null) return [["nanoUsd", null]]
  // `readAmount` ignores unknown units next to `nanoUsd`, but a misspelled unit would limit nothing.
  if (typeof limit === "object") checkUnits(limit, argument)
  const amounts = readAmount(limit, argument)
  if (!isEmpty(amounts))
    return UNITS.flatMap((unit): [Unit, number][] => (amounts[unit] === undefined ? [] : [[unit, amounts[unit]]]))
  throw new InvalidArgumentError(
    argument,
    'dollars such as "1.00", or at least one of usd, nanoUsd, tokens, requests',
    limit,
  )
}

function readKeepMs({ scope, forgetAfterMs }: Limit, window: LimitWindow, argument: string): number | null {
  if (window.kind !== "total") {
    if (forgetAfterMs === undefined) return null
    throw new InvalidArgumentError(argument, "absent, because a window is forgotten after its end", forgetAfterMs)
  }
  if (forgetAfterMs === undefined) return scope === "request" ? DAY_MS : null
  return check(forgetAfterMs, duration, argument)
}

/** As a fraction of the limit. */
function readCarryOver({ carryOver = false, limit }: Limit, window: LimitWindow, argument: string): number {
  if (typeof carryOver !== "boolean" && !(typeof carryOver === "number" && carryOver >= 0 && carryOver <= 10))
    throw new InvalidArgumentError(argument, "true, false or a fraction of the limit from 0 to 10", carryOver)
  const fraction = Number(carryOver)
  if (fraction > 0 && longestMs(window) === null)
    throw new InvalidArgumentError(argument, "absent, because the limit has no window", carryOver)
  if (fraction > 0 && limit === null)
    throw new InvalidArgumentError(argument, "absent, because there is no limit to carry over", carryOver)
  return fraction
}

function readAlerts(alertAt: unknown, limit: number | null, argument: string): Threshold[] {
  if (alertAt === undefined) return []
  if (!Array.isArray(alertAt) || alertAt.length > MAX_ALERTS)
    throw new InvalidArgumentError(
      argument,
      `an array of at most ${MAX_ALERTS} fractions such as [0.5, 0.8, 1]`,
      alertAt,
    )
  if (limit === null)
    throw new InvalidArgumentError(argument, "absent, because there is no limit to take fractions of", alertAt)
  for (const [index, fraction] of alertAt.entries())
    if (typeof fraction !== "number" || !(fraction > 0 && fraction <= 10))
      throw new InvalidArgumentError(`${argument}[${index}]`, "a fraction of the limit, above 0 and up to 10", fraction)
  const fractions: number[] = [...new Set(alertAt)].sort((a, b) => a - b)
  return fractions.map((fraction) => ({ fraction, spent: thresholdOf(fraction, limit) }))
}

/** Computes with decimal digits, so that 0.8 of a limit is exact. Rounds up, so that the threshold is not crossed too early. */
function thresholdOf(fraction: number, limit: number, min = 1): number {
  const billionths = BigInt(usd(fraction))
  const spent = (BigInt(limit) * billionths + 999_999_999n) / 1_000_000_000n
  return Math.max(min, Math.min(Number(spent), Number.MAX_SAFE_INTEGER))
}
