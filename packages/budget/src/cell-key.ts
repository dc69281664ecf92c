import { InvalidArgumentError } from "@p2/core"
import type { TimeWindow } from "./calendar"
import { hashText } from "./internal/sha256"
import type { Millis, Name } from "./store"
import { MAX_TIME } from "./store-calls"
import type { Scope, Unit } from "./subject"
import { type Windowing, windowAt, windowingOfKind } from "./window"

/** Longest value of a scope, in UTF-16 units. Values are hashed, so that this only limits the time that it takes. */
export const MAX_VALUE_UNITS = 1_048_576
const PLAIN = /^[A-Za-z0-9_.-]{1,40}$/
const PLAIN_NAME = /^[A-Za-z0-9_.:|=-]{1,64}$/
const HASHED = "sha256:"
const HASHED_NAME = /^sha256:[A-Za-z0-9_-]{43}$/

/**
 * A text as part of a key: as it is when it is short and plain, otherwise its SHA-256. `=` and `:` tell the two apart and
 * occur in neither, so that different texts never have the same part.
 */
function partOf(text: string, argument: string): string {
  checkText(text, argument)
  return PLAIN.test(text) ? `=${text}` : `:${hashText(text)}`
}

/** Any text as a root or an id: as it is when it is one, otherwise its SHA-256. */
export function nameOf(text: unknown, argument: string): Name {
  checkText(text, argument)
  return PLAIN_NAME.test(text) && !text.startsWith(HASHED) ? text : HASHED + hashText(text)
}

/** Whether it is what {@link nameOf} makes of a text that is no name. */
export function isHashedName(text: string): boolean {
  return HASHED_NAME.test(text)
}

function checkText(text: unknown, argument: string): asserts text is string {
  if (typeof text !== "string" || text === "" || text.length > MAX_VALUE_UNITS)
    throw new InvalidArgumentError(argument, `a string of 1 to ${MAX_VALUE_UNITS} characters`, text)
}

/** Whose cell, without unit and window: `total`, `u=alice`, `t=team:‹hash›`. */
export function scopeKey(scope: Scope, value: string | null): string {
  if (scope === "total") return "total"
  if (typeof scope === "string") return LETTERS[scope] + partOf(value!, `subject.${scope}`)
  if ("tag" in scope) return `t${partOf(scope.tag, "limit.scope.tag")}${partOf(value!, "subject.tags")}`
  return `x${partOf(scope.child, "child.id")}`
}

const LETTERS = { request: "r", user: "u", client: "c", model: "m" } as const

/** A cell's key. At most 187 bytes: scope 89, unit 8, zone 64, the rest fixed. */
export function cellKey(scope: string, unit: Unit, windowing: Windowing, window: TimeWindow | null): Name {
  const at = window === null ? "" : `.${window.startsAt}`
  return `${scope}|${unit}|${windowing.kind}${at}`
}

/** A key without the value of its scope and the start of its window: what all subjects of one limit have in common. */
export function familyOf(scope: Scope, unit: Unit, windowing: Windowing): string {
  const whose =
    typeof scope === "object"
      ? "tag" in scope
        ? `t${partOf(scope.tag, "scope.tag")}`
        : "x"
      : scope === "total"
        ? "total"
        : LETTERS[scope]
  return `${whose}|${unit}|${windowing.kind}`
}

/** What a key says, as far as it was not hashed. */
export interface CellName {
  family: string
  /** Null for `total`, undefined when it was hashed. */
  value: string | null | undefined
  unit: Unit
  startsAt: Millis | null
  endsAt: Millis | null
}

/** Reads a key that core made, in this process or another. Undefined for any other. */
export function readCellKey(key: Name): CellName | undefined {
  const [scope = "", unit, timed, ...rest] = key.split("|")
  if (rest.length > 0 || timed === undefined || !isUnit(unit)) return undefined
  const total = timed === "total"
  const dot = timed.lastIndexOf(".")
  const kind = total ? timed : timed.slice(0, dot)
  const windowing = windowingOfKind(kind)
  const start = total ? null : Number(timed.slice(dot + 1))
  const match = scope === "total" ? [scope, "total", ""] : /^([rucmx]|t[=:][^=:]+)([=:][^=:]+)$/.exec(scope)
  if (windowing === undefined || match === null || (start !== null && !(start >= 0 && start <= MAX_TIME)))
    return undefined
  const window = start === null ? null : windowAt(windowing, start)
  const part = match[2]!
  const value = scope === "total" ? null : part.startsWith("=") ? part.slice(1) : undefined
  const endsAt = window?.endsAt ?? null
  return { family: `${match[1]}|${unit}|${kind}`, value, unit, startsAt: start, endsAt }
}

function isUnit(text: string | undefined): text is Unit {
  return text === "nanoUsd" || text === "tokens" || text === "requests"
}
