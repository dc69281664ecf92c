import { type CostSource, checkOptions, InvalidArgumentError, type NanoUsd } from "@p2/core"
import { hashText, MAX_VALUE_LENGTH, toRequestName } from "../limits/names"
import {
  check,
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
const MAX_STRING_LENGTH = 512
/** Maximum size of a prompt or an answer, in bytes of UTF-8. */
const MAX_CONTENT_BYTES = 65_536
/** Maximum number of tags of a caller. */
const MAX_TAGS = 32
const LONG_PREFIX = "long:sha256:"
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

/** A field of an entry: what it must be, and how a caller's value becomes that if it is too long. */
interface EntryField {
  shape: Shape
  bound?: (value: unknown, argument: string) => unknown
}

/** A field that is searched by its exact value: a long value is replaced with its hash. */
const identity: EntryField = { shape: optional(text), bound: boundedIdentity }
/** A field that is only read: a long value is truncated. */
const remark: EntryField = {
  shape: optional(text),
  bound: (value) => (typeof value === "string" ? value.slice(0, MAX_STRING_LENGTH) : value),
}

const FIELDS = {
  requestId: { shape: name, bound: toRequestName },
  attempt: { shape: integerFrom(1) },
  userId: identity,
  clientId: identity,
  tags: { shape: optional(mapOf(text, text, MAX_FIELDS)), bound: boundedTags },
  model: { shape: text, bound: boundedIdentity },
  modelUsed: remark,
  provider: identity,
  mode: remark,
  status: { shape: oneOf(...STATUSES) },
  errorCode: remark,
  reservedNanoUsd: { shape: natural },
  costNanoUsd: { shape: natural },
  costSource: { shape: oneOf(...COST_SOURCES) },
  inDoubt: { shape: optional(shape("true or absent", (value) => value === true)) },
  tableCostNanoUsd: { shape: optional(natural) },
  tokens: { shape: counts },
  costs: { shape: optional(counts) },
  count: { shape: optional(integerFrom(1)) },
  durationMs: { shape: optional(duration) },
  generationId: remark,
  fingerprint: { shape: optional(text) },
  prompt: { shape: optional(content) },
  answer: { shape: optional(content) },
} satisfies Record<keyof UsageEntry, EntryField>

const ENTRY_FIELDS: ReadonlyMap<string, EntryField> = new Map(Object.entries(FIELDS))
const ENTRY_NAMES: ReadonlySet<string> = new Set(ENTRY_FIELDS.keys())
const ENTRY_ADVICE = {
  usage: "Did you mean `tokens`?",
  cost: "The cost is a separate argument; `costs` splits it by kind.",
  error: "Did you mean `errorCode`?",
  inputTokens: "Did you mean `tokens: { inputTokens, outputTokens }`?",
  outputTokens: "Did you mean `tokens: { inputTokens, outputTokens }`?",
} as const

export const usageEntry = objectOf(
  Object.fromEntries([...ENTRY_FIELDS].map(([field, { shape: fieldShape }]) => [field, fieldShape])),
)

/**
 * Validates and copies an entry, or part of one, for the ledger: without undefined fields, and with bounded strings. Values are
 * untrusted: a user id of a megabyte must not fill the ledger, and must stay distinct from other ids.
 *
 * @throws InvalidArgumentError
 */
export function readEntry<Entry extends Partial<UsageEntry>>(entry: Entry, argument: string): Entry {
  checkOptions(entry, ENTRY_NAMES, argument, ENTRY_ADVICE)
  const copy: Record<string, unknown> = {}
  for (const field in entry) {
    const given = entry[field]
    if (given === undefined) continue
    const { shape: fieldShape, bound } = ENTRY_FIELDS.get(field)!
    const value = bound === undefined ? given : bound(given, `${argument}.${field}`)
    if (fieldShape(value) !== undefined) check(value, fieldShape, `${argument}.${field}`)
    copy[field] = typeof value === "object" ? { ...value } : value
  }
  return copy as Entry
}

/** Converts the values of a filter as {@link readEntry} converts those of entries. @throws InvalidArgumentError */
export function boundedFilter(filter: UsageFilter): UsageFilter {
  const copy: Record<string, unknown> = { ...filter }
  for (const field of ["requestId", "userId", "clientId", "model", "provider"] as const)
    if (filter[field] !== undefined) copy[field] = FIELDS[field].bound!(filter[field], `filter.${field}`)
  const { tag } = filter
  if (tag !== undefined)
    copy.tag = {
      name: boundedIdentity(tag.name, "filter.tag.name"),
      value: boundedIdentity(tag.value, "filter.tag.value"),
    }
  return copy
}

/** The value, or its hash if it is long or looks like such a hash. Different values stay different. */
export function boundedIdentity(value: unknown, argument: string): string {
  if (typeof value !== "string" || value.length > MAX_VALUE_LENGTH)
    throw new InvalidArgumentError(argument, `a string of at most ${MAX_VALUE_LENGTH} characters`, value)
  return value.length > MAX_STRING_LENGTH || value.startsWith(LONG_PREFIX) ? LONG_PREFIX + hashText(value) : value
}

export function boundedTags(tags: unknown, argument: string): Record<string, string> {
  if (typeof tags !== "object" || tags === null || Array.isArray(tags))
    throw new InvalidArgumentError(argument, 'an object of strings such as { team: "search" }', tags)
  const pairs = Object.entries(tags)
  if (pairs.length > MAX_TAGS) throw new InvalidArgumentError(argument, `at most ${MAX_TAGS} tags`, Object.keys(tags))
  // `fromEntries` treats `__proto__` as an ordinary name.
  return Object.fromEntries(pairs.map((pair) => pair.map((part) => boundedIdentity(part, argument))))
}

function isContent(value: unknown): boolean {
  if (typeof value !== "string") return false
  // A UTF-16 unit takes one to three bytes.
  if (value.length * 3 <= MAX_CONTENT_BYTES) return true
  return value.length <= MAX_CONTENT_BYTES && new TextEncoder().encode(value).byteLength <= MAX_CONTENT_BYTES
}
