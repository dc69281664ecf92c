import { InvalidArgumentError } from "@p2/core"
import { isHashedName, MAX_VALUE_UNITS, nameOf } from "./cell-key"
import { hashText } from "./internal/sha256"
import type { UsageDraft, UsageEntry, UsageFilter } from "./ledger"

/** Longest text of an entry, prompt and answer left out, in UTF-16 units. */
const MAX_UNITS = 512
/** Most tags of an entry. */
const MAX_TAGS = 32
const LONG = "long:sha256:"

/** What is looked for: exactly the text, so that a long one is kept as its SHA-256. */
const IDENTITIES = ["userId", "clientId", "model", "provider"] as const
/** What is only read: the beginning says most. */
const REMARKS = ["mode", "modelUsed", "errorCode", "generationId"] as const

/**
 * A copy of a draft or an entry as the ledger keeps it. Names come from strangers: a user of a megabyte must neither fill the ledger
 * nor be taken for another.
 *
 * @throws InvalidArgumentError
 */
export function boundedEntry<Entry extends Partial<UsageEntry> | UsageDraft>(entry: Entry, argument: string): Entry {
  // Node 20 takes microseconds to add a field to a spread, which is the quickest copy where the fingerprint has its place.
  const copy = "fingerprint" in entry ? { ...entry } : Object.assign({}, entry)
  const bounded = copy as Partial<UsageEntry>
  const { requestId, tags } = bounded
  if (typeof requestId === "string") bounded.requestId = requestName(requestId, `${argument}.requestId`)
  if (!isShort(bounded)) shorten(bounded, argument)
  if (typeof tags === "object" && tags !== null) bounded.tags = boundedTags(tags, `${argument}.tags`)
  return copy
}

/** Asked field by field: V8 looks a name of a list up in a table, which costs more than all the rest. */
function isShort(entry: Partial<UsageEntry>): boolean {
  const { userId, clientId, model, provider, mode, modelUsed, errorCode, generationId } = entry
  return (
    !(isChanged(userId) || isChanged(clientId) || isChanged(model) || isChanged(provider)) &&
    !(isCut(mode) || isCut(modelUsed) || isCut(errorCode) || isCut(generationId))
  )
}

function shorten(entry: Partial<UsageEntry>, argument: string): void {
  for (const field of IDENTITIES) entry[field] &&= identity(entry[field], `${argument}.${field}`)
  for (const field of REMARKS) if (isCut(entry[field])) entry[field] = entry[field]!.slice(0, MAX_UNITS)
}

/** A filter that finds what {@link boundedEntry} made of the texts in it. */
export function boundedFilter(filter: UsageFilter): UsageFilter {
  const { requestId, tag } = filter
  const bounded = { ...filter }
  if (typeof requestId === "string") bounded.requestId = requestName(requestId, "filter.requestId")
  for (const field of IDENTITIES) {
    const text = filter[field]
    if (typeof text === "string") bounded[field] = identity(text, `filter.${field}`)
  }
  if (typeof tag === "object" && tag !== null)
    bounded.tag = { name: identity(tag.name, "filter.tag.name"), value: identity(tag.value, "filter.tag.value") }
  return bounded
}

/** The name of a tag as the ledger keeps it. */
export function boundedTag(name: string): string {
  return identity(name, "groupBy.tag")
}

/** The name under which the attempts of a request stand together. What an entry says is a name already. */
export function requestName(requestId: string, argument: string): string {
  return isHashedName(requestId) ? requestId : nameOf(requestId, argument)
}

function boundedTags(tags: Readonly<Record<string, string>>, argument: string): Record<string, string> {
  const names = Object.keys(tags)
  if (names.length > MAX_TAGS) throw new InvalidArgumentError(argument, `at most ${MAX_TAGS} tags`, names)
  // By pairs, because `__proto__` is a name like any other.
  return Object.fromEntries(names.map((name) => [identity(name, argument), identity(tags[name]!, argument)]))
}

function isChanged(text: unknown): boolean {
  return typeof text === "string" && (text.length > MAX_UNITS || text.startsWith(LONG))
}

function isCut(text: unknown): boolean {
  return typeof text === "string" && text.length > MAX_UNITS
}

/** Different texts stay different. What is no text is the store's to refuse. */
function identity<Text>(text: Text, argument: string): Text {
  if (typeof text !== "string" || !isChanged(text)) return text
  if (text.length > MAX_VALUE_UNITS)
    throw new InvalidArgumentError(argument, `a string of at most ${MAX_VALUE_UNITS} characters`, text)
  return `${LONG}${hashText(text)}` as Text
}
