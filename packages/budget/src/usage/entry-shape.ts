import type { CostSource } from "@p2/core"
import { integerFrom, mapOf, name, natural, objectOf, oneOf, optional, type Shape, shape } from "../store/shape"
import type { UsageEntry, UsageStatus } from "./entry"

/** Maximum length of a string in an entry except prompt and answer, in UTF-16 units. */
export const MAX_STRING_LENGTH = 512
/** Maximum size of a prompt or an answer, in bytes of UTF-8. */
const MAX_CONTENT_BYTES = 65_536
/** Maximum number of tags, kinds of tokens or kinds of costs. */
const MAX_FIELDS = 64

export const STATUSES = ["succeeded", "failed", "denied", "expired", "released", "audit"] satisfies UsageStatus[]
const COST_SOURCES = ["provider", "table", "custom", "bound", "none"] satisfies CostSource[]

const text = shape(
  `a string of at most ${MAX_STRING_LENGTH} characters`,
  (value) => typeof value === "string" && value.length <= MAX_STRING_LENGTH,
)
const content = shape(`a string of at most ${MAX_CONTENT_BYTES} bytes of UTF-8`, isContent)
const duration = shape("a number of at least 0", (value) => Number.isFinite(value) && (value as number) >= 0)
const counts = mapOf(text, natural, MAX_FIELDS)

/** The fields of a usage entry. */
export const ENTRY_FIELDS = {
  requestId: name,
  attempt: integerFrom(1),
  userId: optional(text),
  clientId: optional(text),
  tags: optional(mapOf(text, text, MAX_FIELDS)),
  model: text,
  modelUsed: optional(text),
  provider: optional(text),
  mode: optional(text),
  status: oneOf(...STATUSES),
  errorCode: optional(text),
  reservedNanoUsd: natural,
  costNanoUsd: natural,
  costSource: oneOf(...COST_SOURCES),
  inDoubt: optional(shape("true or absent", (value) => value === true)),
  tableCostNanoUsd: optional(natural),
  tokens: counts,
  costs: optional(counts),
  count: optional(integerFrom(1)),
  durationMs: optional(duration),
  generationId: optional(text),
  fingerprint: optional(text),
  prompt: optional(content),
  answer: optional(content),
} satisfies Record<keyof UsageEntry, Shape>

export const usageEntry = objectOf(ENTRY_FIELDS)

function isContent(value: unknown): boolean {
  if (typeof value !== "string") return false
  // A UTF-16 unit takes one to three bytes.
  if (value.length * 3 <= MAX_CONTENT_BYTES) return true
  return value.length <= MAX_CONTENT_BYTES && new TextEncoder().encode(value).byteLength <= MAX_CONTENT_BYTES
}
