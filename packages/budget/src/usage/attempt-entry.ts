import { type CostSource, checkOptions, InvalidArgumentError } from "@p2/core"
import type { Amount } from "../limits/amount"
import { hashText, MAX_VALUE_LENGTH, toRequestName } from "../limits/names"
import type { Subject } from "../limits/subject"
import { check } from "../store/shape"
import { ENTRY_FIELDS, MAX_STRING_LENGTH, type UsageEntry, type UsageFilter } from "./entry"

const MAX_TAGS = 32
const LONG_PREFIX = "long:sha256:"
/** Fields that are searched by their exact value: a long value is replaced with its hash. */
const IDENTITIES = ["userId", "clientId", "model", "provider"] as const
/** Fields that are only read: a long value is cut. */
const REMARKS = ["mode", "modelUsed", "errorCode", "generationId"] as const

const ENTRY_NAMES: ReadonlySet<string> = new Set(Object.keys(ENTRY_FIELDS))
const ENTRY_ADVICE = {
  usage: "Did you mean `tokens`?",
  cost: "The cost is a separate argument; `costs` splits it by kind.",
  error: "Did you mean `errorCode`?",
  inputTokens: "Did you mean `tokens: { inputTokens, outputTokens }`?",
  outputTokens: "Did you mean `tokens: { inputTokens, outputTokens }`?",
} as const

type Bound = (value: unknown, argument: string) => unknown

const BOUNDS: Readonly<Record<string, Bound>> = {
  requestId: toRequestName,
  tags: boundedTags,
  ...Object.fromEntries(IDENTITIES.map((field) => [field, boundedIdentity])),
  ...Object.fromEntries(
    REMARKS.map((field): [string, Bound] => [
      field,
      (value) => (typeof value === "string" ? value.slice(0, MAX_STRING_LENGTH) : value),
    ]),
  ),
}

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
    if (entry[field] === undefined) continue
    const bound = BOUNDS[field]
    const value = bound === undefined ? entry[field] : bound(entry[field], `${argument}.${field}`)
    const shape = ENTRY_FIELDS[field as keyof UsageEntry]
    if (shape(value) !== undefined) check(value, shape, `${argument}.${field}`)
    copy[field] = typeof value === "object" ? { ...value } : value
  }
  return copy as Entry
}

/** Converts the values of a filter as {@link readEntry} converts those of entries. @throws InvalidArgumentError */
export function boundedFilter(filter: UsageFilter): UsageFilter {
  const copy: Record<string, unknown> = { ...filter }
  for (const field of ["requestId", ...IDENTITIES] as const)
    if (filter[field] !== undefined) copy[field] = BOUNDS[field]!(filter[field], `filter.${field}`)
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

function boundedTags(tags: unknown, argument: string): Record<string, string> {
  if (typeof tags !== "object" || tags === null || Array.isArray(tags))
    throw new InvalidArgumentError(argument, 'an object of strings such as { team: "search" }', tags)
  const pairs = Object.entries(tags)
  if (pairs.length > MAX_TAGS) throw new InvalidArgumentError(argument, `at most ${MAX_TAGS} tags`, Object.keys(tags))
  // `fromEntries` treats `__proto__` as an ordinary name.
  return Object.fromEntries(pairs.map((pair) => pair.map((part) => boundedIdentity(part, argument))))
}

// Entries are built with `Object.assign`: Node 20 is slow at adding fields to a spread object (bench/facade.mjs).

/**
 * The usage entry of an attempt before it is sent. `entry` is the caller's part, as {@link readEntry} returns it.
 * @throws InvalidArgumentError
 */
export function attemptEntry(
  subject: Subject,
  attempt: { idempotencyKey: string; amount: Amount; fingerprint: string; entry: Partial<UsageEntry> },
): UsageEntry {
  const { idempotencyKey, amount, fingerprint, entry } = attempt
  const { userId, clientId, tags, model = "unknown", requestId = idempotencyKey } = subject
  const whole: UsageEntry = Object.assign(
    readEntry({ requestId, attempt: 1, userId, clientId, tags: tags && { ...tags }, model }, "subject"),
    { status: "succeeded", reservedNanoUsd: 0, costNanoUsd: 0, costSource: "none", tokens: {} } as const,
    entry,
    { fingerprint },
  )
  if (amount.nanoUsd !== undefined) whole.reservedNanoUsd = amount.nanoUsd
  // Only the end of an attempt decides this.
  if (whole.inDoubt !== undefined) delete whole.inDoubt
  return whole
}

/** The entry of an attempt whose lease ended, with the charge of `onExpire`. */
export function expiredEntry(attempt: UsageEntry, amount: Amount, onExpire: Amount): UsageEntry {
  const costNanoUsd = onExpire.nanoUsd ?? 0
  const end = { status: "expired", costNanoUsd } as const
  if (costNanoUsd === 0) return Object.assign({}, attempt, end, { costSource: "none" } as const)
  // An amount that the user chose is not an upper bound.
  if (costNanoUsd !== amount.nanoUsd) return Object.assign({}, attempt, end, { costSource: "custom" } as const)
  return Object.assign({}, attempt, end, { costSource: "bound", inDoubt: true } as const)
}

/** How an attempt ended. The caller's part of the entry may replace `status`, `costSource` and `inDoubt`. */
interface AttemptEnd {
  status: UsageEntry["status"]
  /** Undefined: no limit of the call counts dollars, so the caller's part decides. */
  costNanoUsd: number | undefined
  costSource: CostSource
  /** Whether the charge is the upper bound because the caller does not know the usage. */
  isBound?: boolean
}

/**
 * The entry of an attempt that ended. The caller's part replaces fields of `attempt`; the money is what the counters are
 * charged.
 * @throws InvalidArgumentError
 */
export function endedEntry(
  attempt: UsageEntry,
  amount: Amount,
  end: AttemptEnd,
  entry: Partial<UsageEntry>,
): UsageEntry {
  const { status, costSource, costNanoUsd } = end
  const part = readEntry(entry, "entry")
  const whole: UsageEntry = Object.assign({}, attempt, { status, costSource }, part, {
    fingerprint: attempt.fingerprint,
  })
  if (end.isBound && part.costSource === undefined) whole.inDoubt = true
  if (amount.nanoUsd !== undefined) whole.reservedNanoUsd = amount.nanoUsd
  if (costNanoUsd !== undefined) whole.costNanoUsd = costNanoUsd
  return whole
}

/** The entry of a call that the budget denied. */
export function deniedEntry(attempt: UsageEntry): UsageEntry {
  const { fingerprint: _fingerprint, ...entry } = attempt
  const none = { reservedNanoUsd: 0, costNanoUsd: 0, costSource: "none" } as const
  return { ...entry, ...none, status: "denied", errorCode: "budget-exceeded" }
}
