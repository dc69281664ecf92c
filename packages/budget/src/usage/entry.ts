import type { CostSource, NanoUsd } from "@p2/core"
import {
  integerFrom,
  type Millis,
  mapOf,
  type Name,
  name,
  natural,
  objectOf,
  oneOf,
  optional,
  type Shape,
  shape,
} from "../store/shape"

/** How a reservation ended. */
export type FinalState = "settled" | "released" | "expired"

/**
 * How an attempt ended. `expired`: its lease ended without a settle. `denied`: the budget denied it; nothing was charged,
 * and `count` is the number of denials. `audit`: an operator's action; totals omit it.
 */
export type UsageStatus = "succeeded" | "failed" | "denied" | "expired" | "released" | "audit"

/** One attempt, as it is written. JSON values only. */
export interface UsageEntry {
  /** Groups the attempts of one request; at most 64 characters of a {@link Name}. */
  requestId: string
  /** Number of the attempt inside its request, from 1. */
  attempt: number
  userId?: string | undefined
  clientId?: string | undefined
  tags?: Record<string, string> | undefined
  /** The requested model. */
  model: string
  /** The model that answered, as the provider named it. */
  modelUsed?: string | undefined
  provider?: string | undefined
  /** How the answer was requested: `text`, `json_schema`, `tool`, `json_object`, `prompt`, with `+stream` when streamed. */
  mode?: string | undefined
  status: UsageStatus
  errorCode?: string | undefined
  /** The upper bound that was reserved. */
  reservedNanoUsd: NanoUsd
  costNanoUsd: NanoUsd
  /** Where the cost comes from. For `expired`: `bound` if the whole amount was charged, `custom` if `onExpire` is another amount. */
  costSource: CostSource
  /**
   * The call was sent, and neither its usage nor a documented rule decided the charge. The budget sets it when the whole
   * amount is charged because the lease ended, or because `settle` was given the reservation's own amount without a `costSource`.
   */
  inDoubt?: true | undefined
  /** The cost by the price table, if the provider reported a different one. */
  tableCostNanoUsd?: NanoUsd | undefined
  /** Tokens by kind; the kinds are the counts of `Usage` of `@p2/core`. */
  tokens: Record<string, number>
  /** Nano-USD by kind, summing to `costNanoUsd`. */
  costs?: Record<string, number> | undefined
  /** Only if `denied`: the number of denials that the entry stands for. @defaultValue 1 */
  count?: number | undefined
  durationMs?: number | undefined
  generationId?: string | undefined
  /** The reservation's fingerprint, written by the budget, so that any process can correct the attempt. */
  fingerprint?: string | undefined
  /** Only if the user opted in; at most 64 KiB of UTF-8 each. */
  prompt?: string | undefined
  answer?: string | undefined
}

/** An entry as a store keeps it: one per idempotency key, later settles overwrite it. */
export interface StoredEntry extends UsageEntry {
  idempotencyKey: Name
  /** Time of the first write. The order of the ledger is (at, idempotencyKey). */
  at: Millis
  /** Revision of the settle that wrote it. */
  revision: number
  /** How its reservation ended; `recorded`: written without a reservation. */
  state: FinalState | "recorded"
  /** What each counter was charged, by counter name. For every counter, spent = Σ charges + adjustments. */
  charges: Record<Name, number>
}

/** Every given field must match exactly: no case folding, prefixes or Unicode normalization. */
export interface UsageFilter {
  /** Inclusive. */
  from?: Millis | undefined
  /** Exclusive. */
  to?: Millis | undefined
  requestId?: string | undefined
  clientId?: string | undefined
  userId?: string | undefined
  model?: string | undefined
  provider?: string | undefined
  status?: UsageStatus | undefined
  tag?: { name: string; value: string } | undefined
}

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
