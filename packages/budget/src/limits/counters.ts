import { InvalidArgumentError, LruMap } from "@p2/core"
import { type CounterRef, isOpen } from "../store/budget-store"
import { MAX_TIME, type Millis, type Name } from "../store/shape"
import type { Amount } from "./amount"
import type { PlannedLimit } from "./limit"
import { shortHash } from "./names"
import { type Scope, SUBJECT_FIELDS, type Subject, type Unit } from "./subject"
import { windowAt, windowName } from "./window"

const DAY_MS = 86_400_000
const MAX_PLAIN_LENGTH = 38
const PLAIN = /^[A-Za-z0-9_.-]+$/
const LETTERS = { request: "r", user: "u", client: "c", model: "m" } as const
const UNIT_NAMES = { nanoUsd: "usd", tokens: "tok", requests: "req" } as const

const KINDS = { r: "request", u: "user", c: "client", m: "model", t: "tag", x: "child" } as const
const UNITS: Record<string, Unit> = { usd: "nanoUsd", tok: "tokens", req: "requests" }

/** What a counter counts. */
export interface CounterIdentity {
  scope: Scope
  /** User id, tag value and so on; not needed for `total` and children. */
  value?: string | null | undefined
  unit: Unit
  /** Start of the window, as `startsAt` of a status; absent or null without a window. `endsAt` is its `resetsAt`. */
  startsAt?: Millis | null | undefined
  endsAt?: Millis | null | undefined
}

/**
 * The name of a counter, at most 64 bytes: `u=ada|usd|mk2qvs00-mk4bqdc0` is what the user ada spends between two
 * instants. Limits with the same scope, unit and window, such as `1d` and `day` in UTC, share a counter.
 */
export function counterName({ scope, value, unit, startsAt, endsAt }: CounterIdentity): Name {
  const window = startsAt == null || endsAt == null ? "total" : windowName(startsAt, endsAt)
  return `${scopeName(scope, value ?? null)}|${UNIT_NAMES[unit]}|${window}`
}

/** `total`, `u=ada` or `t=team=search`; `u:` and a hash if the value is long or has other characters. */
export function scopeName(scope: Scope, value: string | null): string {
  if (scope === "total") return scope
  if (typeof scope === "string") return LETTERS[scope] + valuePart(value!)
  return "tag" in scope ? `t${valuePart(value!, scope.tag)}` : `x${valuePart(scope.child)}`
}

/** Plain parts contain no `=`, so that the name and the value of a tag stay apart. */
function valuePart(value: string, tag?: string): string {
  const joined = tag === undefined ? value : `${tag}=${value}`
  const isPlain = joined.length <= MAX_PLAIN_LENGTH && PLAIN.test(value) && (tag === undefined || PLAIN.test(tag))
  return isPlain ? `=${joined}` : `:${shortHash(JSON.stringify(tag === undefined ? [value] : [tag, value]))}`
}

/** The parts of a counter's name. */
export interface CounterNameParts {
  scope: "total" | "request" | "user" | "client" | "model" | "tag" | "child"
  /** Name of the tag; undefined for other scopes and if it is hashed. */
  tag: string | undefined
  /** Null for `total`; undefined if it is hashed. */
  value: string | null | undefined
  unit: Unit
  startsAt: Millis | null
  endsAt: Millis | null
}

/** Parses the name of a counter that a budget created, in any process. Undefined for any other name. */
export function readCounterName(name: Name): CounterNameParts | undefined {
  const match = /^(?:total|([rucmtx])([=:])([^|]+))\|(usd|tok|req)\|(?:total|([0-9a-z]{1,11})-([0-9a-z]{1,11}))$/.exec(
    name,
  )
  if (match === null) return undefined
  const [, letter, mark, joined = "", unitName = "", start, end] = match
  const [startsAt, endsAt] =
    start === undefined ? [null, null] : [Number.parseInt(start, 36), Number.parseInt(end!, 36)]
  if (startsAt !== null && !(startsAt < endsAt && endsAt <= MAX_TIME)) return undefined
  const time = { unit: UNITS[unitName]!, startsAt, endsAt }
  if (letter === undefined) return { scope: "total", tag: undefined, value: null, ...time }
  const scope = KINDS[letter as keyof typeof KINDS]
  if (mark === ":") return { scope, tag: undefined, value: undefined, ...time }
  const parts = joined.split("=")
  if (parts.length !== (scope === "tag" ? 2 : 1) || !parts.every((part) => PLAIN.test(part))) return undefined
  const [tag, value] = scope === "tag" ? parts : [undefined, ...parts]
  return { scope, tag, value, ...time }
}

/** A counter reference made from a counter's name, to settle or correct a reservation of another process. */
export function counterRefOf(name: Name, { scope, startsAt, endsAt }: CounterNameParts): CounterRef {
  const isShortLived = endsAt === null && (scope === "request" || scope === "child")
  return { name, startsAt, endsAt, keepMs: isShortLived ? DAY_MS : null }
}

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
  const counters: (CallCounter & { limits: PlannedLimit[] })[] = []
  for (const limit of limits) {
    const value = scopeValue(subject, limit.scope)
    if (value === undefined) {
      if (missing === "throw" && !limit.optional) throw missingScope(limit.scope)
      continue
    }
    const { scope, unit, keepMs } = limit
    const window = windowAt(limit.window, now)
    const name = `${scopeName(scope, value)}|${UNIT_NAMES[unit]}|${window === null ? "total" : window.name}`
    const counter = counters.find((each) => each.name === name)
    if (counter === undefined) {
      const [startsAt, endsAt] = window === null ? [null, null] : [window.startsAt, window.endsAt]
      counters.push({ name, startsAt, endsAt, keepMs, unit, value, limits: [limit] })
      continue
    }
    counter.limits.push(limit)
    counter.limits.sort(compareLimits)
    counter.keepMs = longerKeepMs(counter, keepMs)
  }
  return counters
}

/** Null is the retention of the store for a window, and no end without a window. */
function longerKeepMs({ keepMs, endsAt }: CallCounter, other: number | null): number | null {
  if (keepMs === null || other === null) return endsAt === null ? null : (keepMs ?? other)
  return Math.max(keepMs, other)
}

/** The same counter in the previous window; undefined without a window. */
export function counterBefore({ limits, value, startsAt, unit }: CallCounter): Name | undefined {
  if (startsAt === null) return undefined
  const { scope, window } = limits[0]!
  const before = windowAt(window, startsAt - 1)
  return before === null ? undefined : counterName({ scope, value, unit, ...before })
}

/** Whether an instant is in the window of every counter. */
export function areOpen(counters: readonly CounterRef[], now: Millis): boolean {
  return counters.every((counter) => isOpen(counter, now))
}

const MAX_FINGERPRINT_LENGTH = 64
/** Cached, because hashing a subject's limits takes longer than the rest of a fingerprint (bench/facade.mjs). */
const limitsHashes = new LruMap<string, string>(10_000)

/**
 * Identifies the content of a request, independent of the time it is sent: scopes, units, kinds of windows, amounts and the charge
 * on expiry. A reserve that repeats an idempotency key must have the same fingerprint. At most 64 characters.
 */
export function fingerprintOf(counters: readonly CallCounter[], amount: Amount, onExpire: Amount): string {
  const limits: string[] = []
  for (const counter of counters) {
    const withoutWindow = counter.name.slice(0, counter.name.lastIndexOf("|"))
    for (const { window } of counter.limits) {
      const limit = `${withoutWindow}|${window.kind}`
      if (!limits.includes(limit)) limits.push(limit)
    }
  }
  const amounts = amountsText(amount)
  const charge = onExpire === amount ? "" : amountsText(onExpire)
  const hash = limitsHashes.getOrCreate(limits.join("\n"), () => shortHash(limits.sort().join("\n")))
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
