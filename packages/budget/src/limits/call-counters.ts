import { InvalidArgumentError, LruMap } from "@p2/core"
import type { CounterRef } from "../store/budget-store"
import type { Millis } from "../store/name"
import type { Amount } from "./amount"
import { counterName } from "./counter-name"
import { shortHash } from "./names"
import type { PlannedLimit } from "./planned-limit"
import { type Scope, SUBJECT_FIELDS, type Subject, type Unit } from "./subject"
import { windowAt } from "./window"

/** A counter that a call touches, with its limits. */
export interface CallCounter extends CounterRef {
  unit: Unit
  /** Value of the scope (user id, tag value …); null for `total` and children. */
  value: string | null
  /** In ascending order: the first one decides. */
  limits: readonly PlannedLimit[]
}

/**
 * The counters of a subject at an instant, without duplicates.
 *
 * @param missing what to do with a limit whose scope the subject lacks; optional limits are always skipped
 * @throws InvalidArgumentError
 */
export function callCounters(
  limits: readonly PlannedLimit[],
  subject: Subject,
  now: Millis,
  missing: "throw" | "skip",
): CallCounter[] {
  const counters = new Map<string, CallCounter & { limits: PlannedLimit[] }>()
  for (const limit of limits) {
    const value = scopeValue(subject, limit.scope)
    if (value === undefined) {
      if (missing === "throw" && !limit.optional) throw missingScope(limit.scope)
      continue
    }
    const { scope, unit, keepMs } = limit
    const window = windowAt(limit.window, now)
    const [startsAt, endsAt] = [window?.startsAt ?? null, window?.endsAt ?? null]
    const name = counterName({ scope, value, unit, startsAt, endsAt })
    const counter = counters.get(name)
    if (counter === undefined) {
      counters.set(name, { name, startsAt, endsAt, keepMs, unit, value, limits: [limit] })
      continue
    }
    counter.limits.push(limit)
    counter.keepMs = counter.keepMs === null || keepMs === null ? null : Math.max(counter.keepMs, keepMs)
  }
  for (const counter of counters.values()) counter.limits.sort(compareLimits)
  return [...counters.values()]
}

/** Whether an instant is in the window of every counter. */
export function areOpen(counters: readonly CounterRef[], now: Millis): boolean {
  return counters.every(
    ({ startsAt, endsAt }) => (startsAt === null || startsAt <= now) && (endsAt === null || now < endsAt),
  )
}

const MAX_FINGERPRINT_LENGTH = 64
/** Hashing the limits of a subject takes longer than the rest of a fingerprint (bench/facade.mjs). */
const limitsHashes = new LruMap<string, string>(10_000)

/**
 * Identifies the content of a request, at whatever time it is sent: scopes, units, kinds of windows, amounts and the charge
 * on expiry. A reserve that repeats an idempotency key must have the same fingerprint. At most 64 characters.
 */
export function fingerprintOf(counters: readonly CallCounter[], amount: Amount, onExpire: Amount): string {
  const limits = new Set<string>()
  for (const counter of counters) {
    const withoutWindow = counter.name.slice(0, counter.name.lastIndexOf("|"))
    for (const { window } of counter.limits) limits.add(`${withoutWindow}|${window.kind}`)
  }
  const amounts = amountsText(amount)
  const charge = onExpire === amount ? "" : amountsText(onExpire)
  const hash = limitsHashes.getOrCreate([...limits].sort().join("\n"), shortHash)
  const fingerprint = `${hash} ${amounts}${charge === amounts ? "" : charge}`
  return fingerprint.length <= MAX_FINGERPRINT_LENGTH ? fingerprint : `${hash} ${shortHash(amounts + charge)}`
}

function amountsText({ nanoUsd, tokens, requests }: Amount): string {
  return `${base36(nanoUsd)},${base36(tokens)},${base36(requests)};`
}

function base36(amount: number | undefined): string {
  return amount === undefined ? "" : amount.toString(36)
}

/** Null for `total` and children; undefined if the subject lacks the scope. */
function scopeValue(subject: Subject, scope: Scope): string | null | undefined {
  if (scope === "total") return null
  if (typeof scope === "string") return subject[SUBJECT_FIELDS[scope]]
  if ("child" in scope) return null
  const { tags } = subject
  return tags !== undefined && Object.hasOwn(tags, scope.tag) ? tags[scope.tag] : undefined
}

function missingScope(scope: Scope): InvalidArgumentError {
  const isTag = typeof scope === "object" && "tag" in scope
  const field = isTag
    ? `tags[${JSON.stringify(scope.tag.slice(0, 40))}]`
    : SUBJECT_FIELDS[scope as keyof typeof SUBJECT_FIELDS]
  return new InvalidArgumentError(
    `subject.${field}`,
    `a string, because a limit counts per ${isTag ? "tag" : scope} (\`optional: true\` skips the limit for calls without one)`,
    undefined,
  )
}

function compareLimits(a: PlannedLimit, b: PlannedLimit): number {
  return (a.limit ?? Number.POSITIVE_INFINITY) - (b.limit ?? Number.POSITIVE_INFINITY) || 0
}
