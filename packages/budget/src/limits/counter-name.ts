import type { CounterRef } from "../store/budget-store"
import type { Millis, Name } from "../store/name"
import { MAX_TIME } from "../store/shape"
import { shortHash } from "./names"
import type { Scope, Unit } from "./subject"

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
  const time = startsAt == null || endsAt == null ? "total" : `${startsAt.toString(36)}-${endsAt.toString(36)}`
  return `${scopeName(scope, value ?? null)}|${UNIT_NAMES[unit]}|${time}`
}

/** `total`, `u=ada` or `t=team=search`; `u:` and a hash if the value is long or has other characters. */
export function scopeName(scope: Scope, value: string | null): string {
  if (scope === "total") return scope
  if (typeof scope === "string") return LETTERS[scope] + valuePart([value!])
  return "tag" in scope ? `t${valuePart([scope.tag, value!])}` : `x${valuePart([scope.child])}`
}

/** Plain parts contain no `=`, so that the name and the value of a tag stay apart. */
function valuePart(parts: readonly string[]): string {
  const joined = parts.join("=")
  const isPlain = joined.length <= MAX_PLAIN_LENGTH && parts.every((part) => PLAIN.test(part))
  return isPlain ? `=${joined}` : `:${shortHash(JSON.stringify(parts))}`
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
  return scope === "tag"
    ? { scope, tag: parts[0], value: parts[1], ...time }
    : { scope, tag: undefined, value: parts[0], ...time }
}

/** A counter reference made from a counter's name, to settle or correct a reservation of another process. */
export function counterRefOf(name: Name, { scope, startsAt, endsAt }: CounterNameParts): CounterRef {
  const isShortLived = endsAt === null && (scope === "request" || scope === "child")
  return { name, startsAt, endsAt, keepMs: isShortLived ? DAY_MS : null }
}
