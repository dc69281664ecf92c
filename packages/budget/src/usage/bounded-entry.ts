import { checkOptions, InvalidArgumentError } from "@p2/core"
import { hashText, MAX_VALUE_LENGTH, toRequestName } from "../limits/names"
import type { UsageEntry, UsageFilter } from "./entry"

/** Longest string of an entry except prompt and answer, in UTF-16 units. */
const MAX_LENGTH = 512
const MAX_TAGS = 32
const LONG_PREFIX = "long:sha256:"

/** Fields that are searched by their exact value: a long value is replaced with its hash. */
const IDENTITIES = ["userId", "clientId", "model", "provider"] as const
/** Fields that are only read: a long value is cut. */
const REMARKS = ["mode", "modelUsed", "errorCode", "generationId"] as const

const ENTRY_NAMES: ReadonlySet<string> = new Set([
  ...IDENTITIES,
  ...REMARKS,
  "requestId",
  "attempt",
  "tags",
  "status",
  "reservedNanoUsd",
  "costNanoUsd",
  "costSource",
  "inDoubt",
  "tableCostNanoUsd",
  "tokens",
  "costs",
  "count",
  "durationMs",
  "fingerprint",
  "prompt",
  "answer",
] satisfies (keyof UsageEntry)[])

const ENTRY_ADVICE = {
  usage: "Did you mean `tokens`?",
  cost: "The cost is a separate argument; `costs` splits it by kind.",
  error: "Did you mean `errorCode`?",
  inputTokens: "Did you mean `tokens: { inputTokens, outputTokens }`?",
  outputTokens: "Did you mean `tokens: { inputTokens, outputTokens }`?",
} as const

/**
 * Copies an entry, or part of one, for the ledger: without undefined fields, and with bounded strings. Values are
 * untrusted: a user id of a megabyte must not fill the ledger, and must stay distinct from other ids.
 *
 * @throws InvalidArgumentError
 */
export function boundedEntry<Entry extends Partial<UsageEntry>>(entry: Entry, argument: string): Entry {
  checkOptions(entry, ENTRY_NAMES, argument, ENTRY_ADVICE)
  const copy = {} as Entry
  for (const name in entry) if (entry[name] !== undefined) copy[name] = entry[name]
  const { requestId, tags } = copy
  if (requestId !== undefined) copy.requestId = toRequestName(requestId, `${argument}.requestId`)
  for (const field of IDENTITIES)
    if (copy[field] !== undefined) copy[field] = boundedIdentity(copy[field], `${argument}.${field}`)
  for (const field of REMARKS) if (typeof copy[field] === "string") copy[field] = copy[field].slice(0, MAX_LENGTH)
  if (tags !== undefined) copy.tags = boundedTags(tags, `${argument}.tags`)
  return copy
}

/** Converts the values of a filter as {@link boundedEntry} converts those of entries. @throws InvalidArgumentError */
export function boundedFilter(filter: UsageFilter): UsageFilter {
  const copy = { ...filter }
  const { requestId, tag } = copy
  if (requestId !== undefined) copy.requestId = toRequestName(requestId, "filter.requestId")
  for (const field of IDENTITIES)
    if (copy[field] !== undefined) copy[field] = boundedIdentity(copy[field], `filter.${field}`)
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
  return value.length > MAX_LENGTH || value.startsWith(LONG_PREFIX) ? LONG_PREFIX + hashText(value) : value
}

function boundedTags(tags: unknown, argument: string): Record<string, string> {
  if (typeof tags !== "object" || tags === null || Array.isArray(tags))
    throw new InvalidArgumentError(argument, 'an object of strings such as { team: "search" }', tags)
  const pairs = Object.entries(tags)
  if (pairs.length > MAX_TAGS) throw new InvalidArgumentError(argument, `at most ${MAX_TAGS} tags`, Object.keys(tags))
  // `fromEntries` treats `__proto__` as an ordinary name.
  return Object.fromEntries(pairs.map((pair) => pair.map((part) => boundedIdentity(part, argument))))
}
