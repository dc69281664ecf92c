import { P2Error } from "@p2/core"
import { StoreError, type StoreErrorCode } from "../store/store-error"

/** A case of the suite failed. */
export class SuiteFailure extends Error {
  constructor(message: string) {
    super(message)
    this.name = "SuiteFailure"
  }
}

export function fail(message: string): never {
  throw new SuiteFailure(message)
}

export function ok(condition: boolean, message: string): asserts condition {
  if (!condition) fail(message)
}

/** Compares by value, without the order of fields; an absent field equals an undefined one. */
export function equal(actual: unknown, expected: unknown, what: string): void {
  const found = differences(actual, expected)
  if (found.length > 0) fail(`${what}: ${describeDifferences(found)}`)
}

/** One field of every item, in order. */
export const valuesOf = <T, Field extends keyof T>(items: readonly T[], field: Field): T[Field][] =>
  items.map((item) => item[field])

/** One field of every item, by the item's name. */
export const byName = <T extends { name: string }, Field extends keyof T>(items: readonly T[], field: Field) =>
  Object.fromEntries(items.map((item) => [item.name, item[field]]))

/** One field of every item, added up. */
export const sumOf = <Field extends string>(items: readonly Record<Field, number>[], field: Field): number =>
  items.reduce((sum, item) => sum + item[field], 0)

/** Compares only the fields that `expected` names. */
export function match(actual: object, expected: Record<string, unknown>, what: string): void {
  const record = actual as Record<string, unknown>
  const found = Object.keys(expected).flatMap((field) => differences(record[field], expected[field], field))
  if (found.length > 0) fail(`${what}: ${describeDifferences(found)}`)
}

/**
 * The call must reply with this outcome, such as `settled, late` (see `outcomeOf`), and with these fields. `counter` is the
 * first counter of the reply, compared only in the fields that it names.
 */
export async function expectReply<Reply extends { status: string }>(
  call: Promise<Reply>,
  outcome: string,
  fields: Record<string, unknown> & { counter?: Record<string, unknown> } = {},
): Promise<Reply> {
  const reply = (await call) as Reply & { counter?: object; counters?: object[] }
  equal(outcomeOf(reply), outcome, "outcome")
  const { counter, ...rest } = fields
  match(reply, rest, outcome)
  if (counter !== undefined) match(reply.counter ?? reply.counters?.[0] ?? {}, counter, `${outcome}: counter`)
  return reply
}

/**
 * Describes a reply: its status, then what its flags mean. `ok, replayed`, `exceeded: 0,2`, `resolved: expired`,
 * `settled, recovered, 1 forgotten`. The contract does not define `recovered` of a release.
 */
export function outcomeOf(reply: { status: string }): string {
  const { status, which, state, replayed, late, recovered, forgottenCounters } = reply as {
    status: string
    which?: number[]
    state?: string
    replayed?: boolean
    late?: boolean
    recovered?: boolean
    forgottenCounters?: number
  }
  const words = [which ? `${status}: ${which}` : state ? `${status}: ${state}` : status]
  if (replayed) words.push("replayed")
  if (late) words.push("late")
  if (recovered && status === "settled") words.push("recovered")
  if (forgottenCounters) words.push(`${forgottenCounters} forgotten`)
  return words.join(", ")
}

/** One place where two values differ. */
export interface Difference {
  path: string
  expected: string
  actual: string
}

/** Every place where two values differ, in order of the path. */
export function differences(actual: unknown, expected: unknown, path = ""): Difference[] {
  if (Array.isArray(actual) && Array.isArray(expected) && actual.length === expected.length) {
    return actual.flatMap((item, index) => differences(item, expected[index], `${path}[${index}]`))
  }
  if (isRecord(actual) && isRecord(expected)) {
    const names = [...new Set([...Object.keys(expected), ...Object.keys(actual)])].sort()
    return names.flatMap((name) => differences(actual[name], expected[name], path === "" ? name : `${path}.${name}`))
  }
  const [a, b] = [canonical(actual), canonical(expected)]
  return a === b ? [] : [{ path, expected: b, actual: a }]
}

/** Maximum number of differences, and of characters of a value, in one message. */
const MAX_DIFFERENCES = 8
const MAX_CHARACTERS = 400
/** Characters shown before the first one that differs, of values that are too long to show whole. */
const CHARACTERS_BEFORE = 120

export function describeDifferences(found: readonly Difference[]): string {
  const lines = found.slice(0, MAX_DIFFERENCES).map(({ path, expected, actual }) => {
    const [a, b] = shorten(actual, expected)
    return `${path === "" ? "" : `${path}: `}expected ${b}, got ${a}`
  })
  if (found.length > MAX_DIFFERENCES) lines.push(`and ${found.length - MAX_DIFFERENCES} more`)
  return lines.join("\n  ")
}

/** Cuts two long strings to the part around the first character that differs. */
function shorten(a: string, b: string): [string, string] {
  if (Math.max(a.length, b.length) <= MAX_CHARACTERS) return [a, b]
  let same = 0
  while (same < a.length && a[same] === b[same]) same++
  const start = Math.max(0, same - CHARACTERS_BEFORE)
  const cut = (string: string) =>
    `${start > 0 ? "…" : ""}${string.slice(start, start + MAX_CHARACTERS)}${string.length > start + MAX_CHARACTERS ? "…" : ""}`
  return [cut(a), cut(b)]
}

/** JSON with sorted fields, without undefined ones. */
export function canonical(value: unknown): string {
  if (typeof value === "bigint" || (typeof value === "number" && !Number.isFinite(value))) return String(value)
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "undefined"
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`).join(",")}}`
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

/** The call must reject with a `StoreError` with these fields; resolves to it. */
export async function storeError(
  call: () => Promise<unknown>,
  expected: { code?: StoreErrorCode; applied?: "no" | "maybe" },
  what: string,
): Promise<StoreError> {
  let value: unknown
  try {
    value = await call()
  } catch (error) {
    if (error instanceof SuiteFailure) throw error
    if (!StoreError.isInstance(error)) fail(`${what}: expected a StoreError, got: ${describeError(error)}`)
    const found = Object.entries(expected).flatMap(([field, wanted]) =>
      differences(error[field as "code" | "applied"], wanted, field),
    )
    if (found.length > 0) fail(`${what}: ${describeDifferences(found)}. The error: ${describeError(error)}`)
    return error
  }
  fail(`${what}: expected a StoreError, got the reply ${canonical(value)}`)
}

/** The call must reject with a usage error: a `P2Error` of the kind `usage`. */
export async function usageError(call: () => Promise<unknown>, what: string): Promise<void> {
  const error = await call().then(
    (value) => fail(`${what}: expected a usage error, got ${canonical(value)}`),
    (error) => error,
  )
  if (error instanceof SuiteFailure) throw error
  if (!P2Error.isInstance(error) || error.kind !== "usage")
    fail(`${what}: expected a usage error, got: ${describeError(error)}`)
}

/** The messages of an error and of its causes, because often only the driver's message explains the failure. */
export function describeError(error: unknown, causes = 4): string {
  if (!(error instanceof Error)) return String(error)
  const { cause, message } = error
  return cause === undefined || causes === 0 ? message : `${message} Caused by: ${describeError(cause, causes - 1)}`
}
