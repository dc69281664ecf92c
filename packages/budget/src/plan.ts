import { InvalidArgumentError } from "@p2/core"
import type { Amount, LimitStatus } from "./budget"
import { cellKey, scopeKey } from "./cell-key"
import { hashText } from "./internal/sha256"
import type { ReadLimit } from "./read-limits"
import type { CellRef, CellState, Millis } from "./store"
import type { Scope, Subject, Unit } from "./subject"
import { windowAt } from "./window"

/** A limit as it applies to one subject. */
interface AppliedLimit {
  limit: ReadLimit
  scope: string
  value: string | null
}

/** A cell of one call: where it is, and the limits that it answers for, the smallest first. */
export interface PlannedCell extends CellRef {
  limits: readonly ReadLimit[]
  value: string | null
}

/** The limits of one call, which become cells as soon as the time is known. */
export interface Plan {
  /** As they were given. */
  limits: readonly ReadLimit[]
  applied: readonly AppliedLimit[]
  /** Of scopes, units and kinds of window, once it was needed. */
  digest: string | undefined
  /** The cells that were wanted last, and as long as their windows are open. */
  last: { cells: readonly PlannedCell[]; from: Millis; until: Millis } | undefined
}

/**
 * Which limits apply to a subject.
 * @throws InvalidArgumentError when the subject lacks the scope of a limit that is not optional.
 */
export function planFor(subject: Subject, limits: readonly ReadLimit[], missing: "mistake" | "skip"): Plan {
  const applied: AppliedLimit[] = []
  for (const limit of limits) {
    const value = scopeValueOf(subject, limit.scope)
    if (value !== undefined) applied.push({ limit, scope: scopeKey(limit.scope, value), value })
    else if (missing === "mistake" && !limit.optional) throwMissing(limit.scope)
  }
  // One order for every process and retry: the fingerprint and the store's cells follow it.
  applied.sort((a, b) => compare(identityOf(a), identityOf(b)) || smaller(a.limit, b.limit))
  return { limits, applied, digest: undefined, last: undefined }
}

/** The cells at an instant, each key once: the smallest limit wins. */
export function cellsAt(plan: Plan, now: Millis): readonly PlannedCell[] {
  const { last } = plan
  if (last !== undefined && last.from <= now && now < last.until) return last.cells
  const cells = computeCells(plan, now)
  const from = Math.max(...cells.map(({ startsAt }) => startsAt ?? Number.NEGATIVE_INFINITY))
  const until = Math.min(...cells.map(({ endsAt }) => endsAt ?? Number.POSITIVE_INFINITY))
  plan.last = { cells, from, until }
  return cells
}

function computeCells(plan: Plan, now: Millis): PlannedCell[] {
  const cells = new Map<string, PlannedCell & { limits: ReadLimit[] }>()
  for (const { limit, scope, value } of plan.applied) {
    const window = windowAt(limit.windowing, now)
    const key = cellKey(scope, limit.unit, limit.windowing, window)
    const known = cells.get(key)
    if (known !== undefined) {
      known.limits.push(limit)
      known.keepMs = known.keepMs === null || limit.keepMs === null ? null : Math.max(known.keepMs, limit.keepMs)
      continue
    }
    const [startsAt, endsAt] = [window?.startsAt ?? null, window?.endsAt ?? null]
    cells.set(key, { key, startsAt, endsAt, keepMs: limit.keepMs, limits: [limit], value })
  }
  return [...cells.values()]
}

/**
 * Of what was asked, not of when: scopes, units and kinds of window, amounts, and what is charged on expiry. The amounts
 * as they are, so that a plan which comes again needs no hash.
 */
export function fingerprintOf(plan: Plan, amount: Amount, floor: Amount | undefined): string {
  // 132 bits: two requests that a caller sends under one id do not meet by chance.
  plan.digest ??= hashText([...new Set(plan.applied.map(identityOf))].join(" ")).slice(0, 22)
  const asked = plan.digest + textOf(amount)
  return floor === undefined ? asked : asked + textOf(floor)
}

function textOf({ nanoUsd, tokens, requests }: Amount): string {
  return `.${nanoUsd?.toString(36) ?? ""}.${tokens?.toString(36) ?? ""}.${requests.toString(36)}`
}

/** Where a cell stands, in the words of users. */
export function statusOf(cell: PlannedCell, state: CellState, limit = cell.limits[0]!): LimitStatus {
  const { spent, reserved, granted } = state
  return {
    scope: limit.scope,
    window: limit.windowing.per,
    timeZone: limit.windowing.timeZone,
    unit: limit.unit,
    limit: limit.limit,
    granted,
    spent,
    reserved,
    remaining: limit.limit === null ? null : limit.limit + granted - spent - reserved,
    startsAt: cell.startsAt,
    resetsAt: cell.endsAt,
  }
}

/** Where the limits of a plan stand, in the order in which they were given: each, or of each cell the smallest. */
export function statusesOf(
  plan: Plan,
  cells: readonly PlannedCell[],
  states: readonly CellState[],
  which: "each" | "smallest",
): LimitStatus[] {
  const found = new Map<ReadLimit, LimitStatus>()
  for (const [index, cell] of cells.entries())
    for (const limit of which === "each" ? cell.limits : cell.limits.slice(0, 1))
      found.set(limit, statusOf(cell, states[index]!, limit))
  return plan.limits.flatMap((limit) => found.get(limit) ?? [])
}

/** The amount of a unit. @throws InvalidArgumentError when a limit counts it and the caller did not say how much. */
export function amountOf(unit: Unit, amount: Amount): number {
  const value = amount[unit]
  if (value !== undefined) return value
  const field = unit === "nanoUsd" ? "usd` or `nanoUsd" : unit
  throw new InvalidArgumentError(`amount.${field}`, `an upper bound, because a limit counts ${unit}`, value)
}

export function scopeValueOf(subject: Subject, scope: Scope): string | null | undefined {
  if (scope === "total") return null
  if (scope === "request") return subject.requestId
  if (scope === "user") return subject.userId
  if (scope === "client") return subject.clientId
  if (scope === "model") return subject.model
  if ("child" in scope) return null
  const { tags } = subject
  return tags !== undefined && Object.hasOwn(tags, scope.tag) ? tags[scope.tag] : undefined
}

function throwMissing(scope: Scope): never {
  const fields = { request: "requestId", user: "userId", client: "clientId", model: "model" } as const
  const field =
    typeof scope === "object"
      ? `tags[${JSON.stringify("tag" in scope ? scope.tag.slice(0, 40) : "")}]`
      : fields[scope as keyof typeof fields]
  const name = typeof scope === "object" ? "that tag" : `"${scope}"`
  throw new InvalidArgumentError(
    `subject.${field}`,
    `a string, because a limit of scope ${name} applies; mark the limit \`optional: true\` to let calls without it pass`,
    undefined,
  )
}

function identityOf({ limit, scope }: AppliedLimit): string {
  return `${scope}|${limit.unit}|${limit.windowing.kind}`
}

function smaller(a: ReadLimit, b: ReadLimit): number {
  if (a.limit === null || b.limit === null) return a.limit === b.limit ? 0 : a.limit === null ? 1 : -1
  return a.limit - b.limit
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
