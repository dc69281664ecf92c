import { P2Error } from "@p2/core"

/** A case of the suite found the store wrong. */
export class SuiteFailure extends Error {
  constructor(message: string) {
    super(message)
    this.name = "SuiteFailure"
  }
}

export function fail(message: string): never {
  throw new SuiteFailure(message)
}

export function ok(condition: boolean, what: string): asserts condition {
  if (!condition) fail(what)
}

/** Compares by value, whatever the order of an object's fields; absent and undefined are the same. */
export function equal(actual: unknown, expected: unknown, what: string): void {
  const [a, b] = [canonical(actual), canonical(expected)]
  if (a !== b) fail(`${what}: ${difference(a, b)}`)
}

/** Most characters of either side in a message. */
const SHOWN = 400
/** Characters that both have in common before the first that differs. */
const BEFORE = 120

/** Both sides, and of long ones what stands around the first character that differs. */
export function difference(actual: string, expected: string): string {
  let first = 0
  while (first < actual.length && actual[first] === expected[first]) first++
  const start = Math.max(actual.length, expected.length) <= SHOWN ? 0 : Math.max(0, first - BEFORE)
  const shown = (text: string) =>
    `${start > 0 ? "…" : ""}${text.slice(start, start + SHOWN)}${text.length > start + SHOWN ? "…" : ""}`
  const where = start > 0 ? ` (both are the same for ${first} characters)` : ""
  return `expected ${shown(expected)}, got ${shown(actual)}${where}`
}

/** Only the fields that `expected` names are compared. */
export function match(actual: object, expected: Record<string, unknown>, what: string): void {
  for (const [field, value] of Object.entries(expected)) {
    equal((actual as Record<string, unknown>)[field], value, `${what}: ${field}`)
  }
}

export function canonical(value: unknown): string {
  if (typeof value === "bigint" || (typeof value === "number" && !Number.isFinite(value))) return String(value)
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "undefined"
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`).join(",")}}`
}

/** The call must end in a mistake (a P2Error of kind `mistake`), thrown or rejected. */
export async function mistake(call: () => unknown, what: string): Promise<void> {
  const outcome = await settled(call)
  if (!("error" in outcome)) fail(`${what}: expected a mistake to be thrown, got ${canonical(outcome.value)}`)
  const error = outcome.error
  if (!P2Error.isInstance(error)) fail(`${what}: expected a mistake (P2Error), got ${String(error)}`)
  if (error.kind !== "usage") fail(`${what}: expected kind "usage", got ${error.kind} (${error.code})`)
}

/** The call must end in a StoreError; resolves to its code and whether it may have been applied. */
export async function storeError(call: () => unknown, what: string): Promise<{ code: string; applied: unknown }> {
  const outcome = await settled(call)
  if (!("error" in outcome)) fail(`${what}: expected a StoreError, got ${canonical(outcome.value)}`)
  const error = outcome.error
  if (!P2Error.isInstance(error)) fail(`${what}: expected a StoreError, got ${String(error)}`)
  const applied = (error as unknown as { applied?: unknown }).applied
  ok(
    applied === "no" || applied === "maybe",
    `${what}: a StoreError says applied "no" or "maybe", got ${String(applied)}`,
  )
  return { code: error.code, applied }
}

async function settled(call: () => unknown): Promise<{ value: unknown } | { error: unknown }> {
  try {
    return { value: await call() }
  } catch (error) {
    return { error }
  }
}
