import type { StoredEntry, UsageDraft, UsageEntry, UsageFilter } from "../ledger"
import type { Name } from "../store"
import { StoreError } from "../store-error"

/** Longest JSON, in UTF-16 units, that stands in a chunk with its prompt and answer. */
const MAX_INLINE = 4_096
/** Before the JSON of an attempt whose prompt and answer are kept apart. */
const SHORTENED = "@"

/**
 * The fields of an attempt by their place in its JSON, which is a list: names would be half of what is sent and kept.
 * The request comes first, because the scripts look for it there. A new field goes last.
 */
const FIELDS = [
  "requestId",
  "attempt",
  "clientId",
  "userId",
  "model",
  "provider",
  "mode",
  "reservedNanoUsd",
  "status",
  "costNanoUsd",
  "costSource",
  "tokens",
  "costs",
  "modelUsed",
  "durationMs",
  "generationId",
  "tags",
  "fingerprint",
  "errorCode",
  "tableCostNanoUsd",
  "prompt",
  "answer",
] as const satisfies readonly (keyof UsageEntry)[]

/** A field that the list above forgets would be lost: then this does not compile. */
type Forgotten = Exclude<keyof UsageEntry, (typeof FIELDS)[number] | "expireCostNanoUsd">
const FORGOTTEN: [Forgotten] extends [never] ? 0 : never = 0

/**
 * Kinds of tokens and of costs by their place, which is sent and kept for the name: core's counts and pricing's rates. A kind
 * that is not among them keeps its name. A new one goes last.
 */
const KINDS = [
  "inputTokens",
  "outputTokens",
  "cacheReadTokens",
  "cacheWriteTokens",
  "cacheWrite1hTokens",
  "reasoningTokens",
  "audioInputTokens",
  "audioOutputTokens",
  "imageInputTokens",
  "imageOutputTokens",
  "webSearches",
  "input",
  "output",
  "cacheRead",
  "cacheWrite",
  "cacheWrite1h",
  "reasoning",
  "audioInput",
  "audioOutput",
  "imageInput",
  "imageOutput",
  "request",
  "search",
]
const KIND_PLACES = new Map(KINDS.map((kind, place) => [kind, place]))

/** Numbers by kind, as a list: kind, number, kind, number… */
function listOf(numbers: Readonly<Record<string, number>>): (number | string)[] {
  const list: (number | string)[] = []
  for (const kind of Object.keys(numbers)) list.push(KIND_PLACES.get(kind) ?? kind, numbers[kind]!)
  return list
}

function numbersOf(list: (number | string)[]): Record<string, number> {
  const pairs: [string, number][] = []
  for (let at = 0; at + 1 < list.length; at += 2) {
    const told = list[at]!
    const kind = typeof told === "number" ? KINDS[told] : told
    if (kind === undefined) throw new RangeError(`No kind has the place ${told}.`)
    pairs.push([kind, list[at + 1] as number])
  }
  // By pairs, because `__proto__` is a name like any other.
  return Object.fromEntries(pairs)
}

type ValuesOf<Fields extends readonly (keyof UsageEntry)[]> = {
  -readonly [Place in keyof Fields]: UsageEntry[Fields[Place]] | undefined | ReturnType<typeof listOf>
}

/** The values of an attempt by {@link FIELDS}. Asked one by one: V8 looks a name of a list up in a table. */
function valuesOf(entry: Partial<UsageEntry>): ValuesOf<typeof FIELDS> {
  return [
    entry.requestId,
    entry.attempt,
    entry.clientId,
    entry.userId,
    entry.model,
    entry.provider,
    entry.mode,
    entry.reservedNanoUsd,
    entry.status,
    entry.costNanoUsd,
    entry.costSource,
    entry.tokens && listOf(entry.tokens),
    entry.costs && listOf(entry.costs),
    entry.modelUsed,
    entry.durationMs,
    entry.generationId,
    entry.tags,
    entry.fingerprint,
    entry.errorCode,
    entry.tableCostNanoUsd,
    entry.prompt,
    entry.answer,
  ]
}

/** An attempt as JSON: absent ones null, none behind the last that is there. */
function jsonOf(values: unknown[]): string {
  let length = values.length
  while (length > 0 && values[length - 1] === undefined) length--
  values.length = length
  return JSON.stringify(values)
}

/** An attempt for its chunk and, where prompt and answer make it long, these. */
export function attemptTexts(entry: UsageEntry): [attempt: string] | [attempt: string, texts: string] {
  const whole = jsonOf(valuesOf(entry))
  const { prompt, answer } = entry
  if (whole.length <= MAX_INLINE || (prompt === undefined && answer === undefined)) return [whole]
  return [SHORTENED + jsonOf(valuesOf(entry).slice(0, PROMPT)), JSON.stringify({ prompt, answer })]
}

const STATUS = FIELDS.indexOf("status")
const COST = FIELDS.indexOf("costNanoUsd")
const COST_SOURCE = FIELDS.indexOf("costSource")
const TOKENS = FIELDS.indexOf("tokens")
const COSTS = FIELDS.indexOf("costs")
const PROMPT = FIELDS.indexOf("prompt")

/** The attempt that an expiry would write. */
export function expiredAttempt(draft: UsageDraft): string {
  const { expireCostNanoUsd: cost = draft.reservedNanoUsd } = draft
  // Not a copy of the draft with more fields: on Node 20 each of them would make a hidden class of its own.
  const values: unknown[] = valuesOf(draft)
  values[STATUS] = "expired"
  values[COST] = cost
  values[COST_SOURCE] = draft.expireCostNanoUsd === 0 ? "none" : "bound"
  values[TOKENS] = []
  return jsonOf(values)
}

/** What the JSON of every attempt that matches holds somewhere; not everything that holds it matches. */
export function textsOf(filter: UsageFilter): string[] {
  const texts: string[] = []
  if (filter.requestId !== undefined) texts.push(`[${JSON.stringify(filter.requestId)},`)
  for (const field of ["userId", "clientId", "model", "provider"] as const) {
    if (filter[field] !== undefined) texts.push(`,${JSON.stringify(filter[field])},`)
  }
  return texts
}

/** An entry as the scripts keep it (`scripts/lua-ledger.ts`), and whether its prompt and answer are kept apart. */
export function readEntry(first: string, text: string): { entry: StoredEntry; shortened: boolean } {
  const line = text.indexOf("\n")
  const [id = "", revision, ...words] = text.slice(0, Math.max(0, line)).split(" ")
  const shortened = text[line + 1] === SHORTENED
  try {
    const attempt = fieldsOf(JSON.parse(text.slice(line + (shortened ? 2 : 1))) as unknown[])
    const [at, mark] = first.split(" ")
    // A release without an entry took the money back, so that the entry of the expiry no longer holds.
    const taken = mark === "r" ? ({ status: "released", costNanoUsd: 0, costSource: "none" } as const) : {}
    const pairs: [Name, number][] = []
    for (let index = 0; index + 1 < words.length; index += 2) pairs.push([words[index]!, Number(words[index + 1])])
    const charges = Object.fromEntries(pairs)
    return {
      entry: Object.assign(attempt, taken, { id, at: Number(at), revision: Number(revision), charges }),
      shortened,
    }
  } catch (cause) {
    throw new StoreError(`The usage entry ${id} holds something that this store did not write.`, {
      code: "corrupt",
      applied: "no",
      cause,
    })
  }
}

function fieldsOf(values: unknown[]): UsageEntry {
  const entry: Record<string, unknown> = {}
  for (let index = FORGOTTEN as number; index < FIELDS.length && index < values.length; index++) {
    const value = values[index]
    if (value === null) continue
    entry[FIELDS[index]!] = index === TOKENS || index === COSTS ? numbersOf(value as (number | string)[]) : value
  }
  return entry as unknown as UsageEntry
}

/** Entries are in order of (at, id). */
export function compareEntries(a: { at: number; id: Name }, b: { at: number; id: Name }): number {
  if (a.at !== b.at) return a.at - b.at
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}
