import { type CostSource, InvalidArgumentError } from "@p2/core"
import type { UsageEntry, UsageStatus } from "../usage/entry"
import { checkInteger, checkName, checkNatural } from "./check-value"

/** Most UTF-16 units of a string in an entry, prompt and answer aside. */
const MAX_LENGTH = 512
/** Most bytes of UTF-8 of a prompt or an answer. */
const MAX_CONTENT_BYTES = 65_536
/** Most tags, kinds of tokens or kinds of costs. */
const MAX_RECORD_SIZE = 64

const STATUSES: readonly UsageStatus[] = ["succeeded", "failed", "denied", "expired", "released", "audit"]
const COST_SOURCES: readonly CostSource[] = ["provider", "table", "custom", "bound", "none"]

type Copy = (value: unknown, path: string) => unknown

/** Checks and copies each field of an entry. */
const FIELDS: { readonly [Field in keyof Required<UsageEntry>]: Copy } = {
  requestId: asName,
  attempt: (value, path) => checkInteger(value, 1, path),
  userId: asString,
  clientId: asString,
  tags: (value, path) => copyRecord(value, path, asString),
  model: asString,
  modelUsed: asString,
  provider: asString,
  mode: asString,
  status: (value, path) => asOneOf(value, STATUSES, path),
  errorCode: asString,
  reservedNanoUsd: asNatural,
  costNanoUsd: asNatural,
  costSource: (value, path) => asOneOf(value, COST_SOURCES, path),
  tableCostNanoUsd: asNatural,
  tokens: (value, path) => copyRecord(value, path, asNatural),
  costs: (value, path) => copyRecord(value, path, asNatural),
  count: (value, path) => checkInteger(value, 1, path),
  durationMs: (value, path) => asDuration(value, path),
  generationId: asString,
  fingerprint: asString,
  prompt: asContent,
  answer: asContent,
}
const REQUIRED = ["requestId", "attempt", "model", "status", "reservedNanoUsd", "costNanoUsd", "costSource", "tokens"]

/** A deep copy of an entry. @throws InvalidArgumentError */
export function copyEntry(entry: UsageEntry, path: string): UsageEntry {
  if (typeof entry !== "object" || entry === null) throw new InvalidArgumentError(path, "a usage entry", entry)
  const copy: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(entry)) {
    if (value === undefined) continue
    if (!Object.hasOwn(FIELDS, name)) throw new InvalidArgumentError(`${path}.${name.slice(0, 40)}`, "absent", value)
    copy[name] = FIELDS[name as keyof UsageEntry](value, `${path}.${name}`)
  }
  for (const name of REQUIRED)
    if (copy[name] === undefined) throw new InvalidArgumentError(`${path}.${name}`, "present", undefined)
  return copy as unknown as UsageEntry
}

function asName(value: unknown, path: string): string {
  checkName(value, path)
  return value
}

function asNatural(value: unknown, path: string): number {
  checkNatural(value, path)
  return value
}

function asString(value: unknown, path: string): string {
  if (typeof value === "string" && value.length <= MAX_LENGTH) return value
  throw new InvalidArgumentError(path, `a string of at most ${MAX_LENGTH} characters`, value)
}

function asDuration(value: unknown, path: string): number {
  if (typeof value === "number" && Number.isFinite(value) && value >= 0) return value
  throw new InvalidArgumentError(path, "a number of milliseconds of at least 0", value)
}

function asOneOf<T>(value: unknown, values: readonly T[], path: string): T {
  if (values.includes(value as T)) return value as T
  throw new InvalidArgumentError(path, `one of ${values.join(", ")}`, value)
}

function asContent(value: unknown, path: string): string {
  if (typeof value === "string" && fitsInBytes(value, MAX_CONTENT_BYTES)) return value
  throw new InvalidArgumentError(path, `a string of at most ${MAX_CONTENT_BYTES} bytes of UTF-8`, value)
}

function fitsInBytes(text: string, maxBytes: number): boolean {
  // A UTF-16 unit takes one to three bytes.
  if (text.length * 3 <= maxBytes) return true
  return text.length <= maxBytes && new TextEncoder().encode(text).byteLength <= maxBytes
}

function copyRecord<T>(value: unknown, path: string, copy: (value: unknown, path: string) => T): Record<string, T> {
  if (typeof value !== "object" || value === null) throw new InvalidArgumentError(path, "an object", value)
  const pairs = Object.entries(value)
  if (pairs.length > MAX_RECORD_SIZE) throw new InvalidArgumentError(path, `at most ${MAX_RECORD_SIZE} names`, value)
  for (const [name, item] of pairs) {
    asString(name, `a name in ${path}`)
    copy(item, `a value in ${path}`)
  }
  // By pairs: `__proto__` is a name like any other.
  return Object.fromEntries(pairs)
}
