import { type CostSource, InvalidArgumentError } from "@p2/core"
import type { UsageEntry, UsageStatus } from "../usage/entry"
import { isName, isNatural, NAME_EXPECTED, NATURAL_EXPECTED } from "./check-value"

/** Maximum length of a string in an entry except prompt and answer, in UTF-16 units. */
const MAX_LENGTH = 512
/** Maximum size of a prompt or an answer, in bytes of UTF-8. */
const MAX_CONTENT_BYTES = 65_536
/** Maximum number of tags, kinds of tokens or kinds of costs. */
const MAX_RECORD_SIZE = 64

const STATUSES: readonly UsageStatus[] = ["succeeded", "failed", "denied", "expired", "released", "audit"]
const COST_SOURCES: readonly CostSource[] = ["provider", "table", "custom", "bound", "none"]

const STRING_EXPECTED = `a string of at most ${MAX_LENGTH} characters`
const OPTIONAL_STRINGS = [
  "userId",
  "clientId",
  "modelUsed",
  "provider",
  "mode",
  "errorCode",
  "generationId",
  "fingerprint",
] as const

/** A deep copy of an entry. @throws InvalidArgumentError */
export function copyEntry(entry: UsageEntry, path: string): UsageEntry {
  if (typeof entry !== "object" || entry === null) throw new InvalidArgumentError(path, "a usage entry", entry)
  const copy = { ...entry }
  const { requestId, attempt, model, status, costSource, inDoubt, durationMs, count, prompt, answer } = copy
  const invalid = (field: string, expected: string, value: unknown) =>
    new InvalidArgumentError(`${path}.${field}`, expected, value)

  if (!isName(requestId)) throw invalid("requestId", NAME_EXPECTED, requestId)
  if (!isCount(attempt)) throw invalid("attempt", "a safe integer of at least 1", attempt)
  if (count !== undefined && !isCount(count)) throw invalid("count", "a safe integer of at least 1", count)
  if (!isString(model)) throw invalid("model", STRING_EXPECTED, model)
  if (!STATUSES.includes(status)) throw invalid("status", `one of ${STATUSES.join(", ")}`, status)
  if (!COST_SOURCES.includes(costSource)) throw invalid("costSource", `one of ${COST_SOURCES.join(", ")}`, costSource)
  if (inDoubt !== undefined && inDoubt !== true) throw invalid("inDoubt", "true or absent", inDoubt)
  for (const field of ["costNanoUsd", "reservedNanoUsd"] as const)
    if (!isNatural(copy[field])) throw invalid(field, NATURAL_EXPECTED, copy[field])
  if (copy.tableCostNanoUsd !== undefined && !isNatural(copy.tableCostNanoUsd))
    throw invalid("tableCostNanoUsd", NATURAL_EXPECTED, copy.tableCostNanoUsd)
  if (durationMs !== undefined && !(Number.isFinite(durationMs) && durationMs >= 0))
    throw invalid("durationMs", "a number of at least 0", durationMs)
  for (const field of OPTIONAL_STRINGS)
    if (copy[field] !== undefined && !isString(copy[field])) throw invalid(field, STRING_EXPECTED, copy[field])
  if (prompt !== undefined && !isContent(prompt)) throw invalid("prompt", CONTENT_EXPECTED, prompt)
  if (answer !== undefined && !isContent(answer)) throw invalid("answer", CONTENT_EXPECTED, answer)

  copy.tokens = copyRecord(copy.tokens, `${path}.tokens`, isNatural, NATURAL_EXPECTED)
  if (copy.costs !== undefined) copy.costs = copyRecord(copy.costs, `${path}.costs`, isNatural, NATURAL_EXPECTED)
  if (copy.tags !== undefined) copy.tags = copyRecord(copy.tags, `${path}.tags`, isString, STRING_EXPECTED)
  return copy
}

const CONTENT_EXPECTED = `a string of at most ${MAX_CONTENT_BYTES} bytes of UTF-8`

function copyRecord<T>(
  value: Record<string, T>,
  path: string,
  isValid: (item: unknown) => boolean,
  expected: string,
): Record<string, T> {
  if (typeof value !== "object" || value === null) throw new InvalidArgumentError(path, "an object", value)
  const copy = { ...value }
  const names = Object.keys(copy)
  if (names.length > MAX_RECORD_SIZE) throw new InvalidArgumentError(path, `at most ${MAX_RECORD_SIZE} names`, value)
  for (const name of names) {
    if (!isString(name)) throw new InvalidArgumentError(`a name in ${path}`, STRING_EXPECTED, name)
    if (!isValid(copy[name])) throw new InvalidArgumentError(`a value in ${path}`, expected, copy[name])
  }
  return copy
}

function isCount(value: unknown): boolean {
  return isNatural(value) && value >= 1
}

function isString(value: unknown): boolean {
  return typeof value === "string" && value.length <= MAX_LENGTH
}

function isContent(value: unknown): boolean {
  if (typeof value !== "string") return false
  // A UTF-16 unit takes one to three bytes.
  if (value.length * 3 <= MAX_CONTENT_BYTES) return true
  return value.length <= MAX_CONTENT_BYTES && new TextEncoder().encode(value).byteLength <= MAX_CONTENT_BYTES
}
