import { describeName, describeValue, InvalidArgumentError } from "@p2/core"
import { UnknownUsageError } from "../errors"

/** Options of every function that reads a provider's usage. */
export interface UsageReadOptions {
  /**
   * Names of unknown fields to ignore, because other fields include what they count: `["draft_tokens"]`.
   * @defaultValue none: an unknown field that seems to carry billed units is an error
   */
  ignoreFields?: readonly string[] | undefined
}

/** Why a usage cannot be read exactly: a value that is not a count, or an unknown field. */
export type UsageProblem = InvalidArgumentError | UnknownUsageError

/** For error messages: fields that identify a usage, with the function that reads it. */
const SHAPES: readonly (readonly [field: string, advice: string])[] = [
  ["usage", "Pass the `usage` of the response, not the response."],
  ["usageMetadata", "Pass the `usageMetadata` of the response, not the response."],
  ["usage_metadata", "Pass the `usage_metadata` of the message, not the message."],
  ["promptTokenCount", "This is Gemini's usage: use `usageFromGemini`."],
  ["prompt_tokens", "This is the usage of OpenAI's chat API: use `usageFromOpenAIChat`."],
  ["cache_read_input_tokens", "This is Anthropic's usage: use `usageFromAnthropic`."],
  [
    "input_token_details",
    "This is LangChain's or a realtime usage: use `usageFromLangChain` or `usageFromOpenAIRealtime`.",
  ],
  [
    "input_tokens",
    "This is the usage of Anthropic or OpenAI's Responses API: use `usageFromAnthropic` or `usageFromOpenAIResponses`.",
  ],
  ["requests", "This is the usage of OpenAI's Agents SDK: use `usageFromOpenAIAgents`."],
  ["inputTokens", "This is the usage of the AI SDK: use `usageFromAISDK`."],
  ["promptTokens", "This is the usage of the AI SDK: use `usageFromAISDK`."],
]

/** Returns a sentence that names the source of a usage with these fields, with a leading space; empty if unknown. */
function adviceForShape(fields: ReadonlySet<string>): string {
  const shape = SHAPES.find(([field]) => fields.has(field))
  return shape === undefined ? "" : ` ${shape[1]}`
}

/** Words in the path of a field that providers may bill. */
const BILLED =
  /token|cach|audio|image|video|document|search|request|second|minute|hour|duration|character|reason|think|thought|page|unit|tool|source|quer|session|credit|pixel|frame/i
/** Words in names of times, amounts and limits, which are not billed themselves. */
const NOT_BILLED: readonly string[] = [
  ...["cost", "price", "usd", "fee", "ticks"],
  ...["latency", "time", "ms", "speed", "rate", "per", "ratio", "percent"],
  ...["ttl", "limit", "remaining"],
]
/** The same for names that end in `tokens`: `realTimeTokens` and `cost_tokens` are counts. */
const NOT_TOKENS: readonly string[] = ["per", "limit", "remaining"]

/** A count above this is an error: no call has as many tokens, and sums of counts stay safe integers. */
const MAX_COUNT = 1e12

/**
 * Reads the counts of a provider's usage object. Null and absent are 0. A value that is not a count counts as 0 and is a
 * problem, and `finish` finds unread fields that seem to be billed, so that no token class is dropped silently.
 *
 * Example: `{ prompt_tokens: 5, completion_tokens: 2, sketch_tokens: 9 }` has a problem at `usage.sketch_tokens`.
 */
export class UsageFields {
  /** In the order in which they were found, inner objects included. */
  readonly problems: UsageProblem[]
  readonly #fields: Record<string, unknown>
  readonly #path: string
  readonly #unread: Set<string>
  readonly #children: UsageFields[] = []

  constructor(value: unknown, path = "usage", problems: UsageProblem[] = []) {
    this.problems = problems
    this.#path = path
    const isObject = isRecord(value) && !(value instanceof Promise)
    if (!isObject) problems.push(new InvalidArgumentError(path, "the provider's usage object", value))
    this.#fields = isObject ? value : {}
    this.#unread = new Set(Object.keys(this.#fields))
  }

  /** A count; undefined if it is absent, null or invalid. */
  optional(name: string): number | undefined {
    return this.#number(name, Number.isSafeInteger, "an integer")
  }

  /** A count; 0 if it is absent. */
  count(name: string): number {
    return this.optional(name) ?? 0
  }

  /** A count; a problem if it is absent. */
  required(name: string): number {
    const before = this.problems.length
    const value = this.optional(name)
    if (value !== undefined) return value
    if (this.problems.length === before) {
      const argument = `${this.#path}.${name}`
      const hint = adviceForShape(this.#unread)
      const message = `Invalid \`${argument}\`: expected an integer of at least 0, got ${describeValue(this.#fields[name])}.`
      this.problems.push(
        new InvalidArgumentError(argument, "an integer of at least 0", this.#fields[name], `${message}${hint}`),
      )
    }
    return 0
  }

  /** The first positive count among several names. */
  firstCount(...names: string[]): number {
    let first = 0
    for (const name of names) {
      // Reads every name, so that `finish` does not find it.
      const count = this.count(name)
      if (first === 0) first = count
    }
    return first
  }

  /** A number of at least 0 that need not be an integer. */
  optionalNumber(name: string): number | undefined {
    return this.#number(name, Number.isFinite, "a number")
  }

  #number(name: string, isNumber: (value: unknown) => boolean, expected: string): number | undefined {
    const value = this.#fields[name]
    this.#unread.delete(name)
    if (value === undefined || value === null) return undefined
    if (isNumber(value) && (value as number) >= 0 && (value as number) <= MAX_COUNT) return value as number
    const range = isNumber(value) && (value as number) > 0 ? "of at most 10^12" : "of at least 0"
    this.problems.push(new InvalidArgumentError(`${this.#path}.${name}`, `${expected} ${range}`, value))
    return undefined
  }

  /** A string; undefined if it is absent or of another type. */
  string(name: string): string | undefined {
    const value = this.#fields[name]
    return typeof value === "string" ? value : undefined
  }

  /** An inner object whose fields are not checked, such as a copy of what other fields count; empty if it is absent. */
  raw(name: string): Record<string, unknown> {
    this.#unread.delete(name)
    const value = this.#fields[name]
    return isRecord(value) ? value : {}
  }

  /** Whether a field is present and not null. */
  has(name: string): boolean {
    return this.#fields[name] !== undefined && this.#fields[name] !== null
  }

  /** Whether a field is an array. */
  isArray(name: string): boolean {
    return Array.isArray(this.#fields[name])
  }

  /** Whether a field is an object. */
  isObject(name: string): boolean {
    return isRecord(this.#fields[name])
  }

  /** The reader of an inner object; empty if it is absent. */
  inner(name: string): UsageFields {
    this.#unread.delete(name)
    return this.#child(this.#fields[name] ?? {}, `${this.#path}.${name}`)
  }

  /** The readers of the inner objects that are present. */
  innerObjects(...names: readonly string[]): readonly UsageFields[] {
    return names.filter((name) => this.has(name)).map((name) => this.inner(name))
  }

  /** The readers of the objects in an inner array; none if it is absent. */
  innerArray(name: string): readonly UsageFields[] {
    this.#unread.delete(name)
    const value = this.#fields[name] ?? []
    if (Array.isArray(value))
      return value.map((item, index) => this.#child(item ?? {}, `${this.#path}.${name}[${index}]`))
    this.problems.push(new InvalidArgumentError(`${this.#path}.${name}`, "an array", value))
    return []
  }

  #child(value: unknown, path: string): UsageFields {
    const child = new UsageFields(value, path, this.problems)
    this.#children.push(child)
    return child
  }

  /** Marks fields that other fields include or that are not billed. */
  ignore(...names: readonly string[]): this {
    for (const name of names) this.#unread.delete(name)
    return this
  }

  /** Adds a problem at a field of this object. */
  reportUnknown(name: string, value: number, remedy: string): void {
    if (value > 0) this.problems.push(new UnknownUsageError(`${this.#path}.${name}`, value, remedy))
  }

  /** Finds fields that were not read and seem to carry billed units. */
  finish(ignoreFields: readonly string[] = []): void {
    this.#reportUnread(new Set(ignoreFields))
  }

  #reportUnread(ignored: ReadonlySet<string>): void {
    for (const name of this.#unread) {
      if (ignored.has(name)) continue
      const found = findBilled(this.#fields[name], `${this.#path}.${name}`, ignored)
      if (found !== undefined) this.problems.push(unknownField(found))
    }
    for (const child of this.#children) child.#reportUnread(ignored)
  }
}

/** Fields that only Anthropic's usage has at its top. */
const ANTHROPIC_FIELDS: readonly string[] = ["usage.cache_read_input_tokens", "usage.cache_creation_input_tokens"]

function unknownField({ path, name, value }: BilledField): UnknownUsageError {
  const hint = ANTHROPIC_FIELDS.includes(path)
    ? "This is Anthropic's usage: use `usageFromAnthropic`"
    : "Update @p2/pricing"
  return new UnknownUsageError(
    shownPath(path),
    value,
    `${hint}, or pass \`{ ignoreFields: [${JSON.stringify(describeName(name))}] }\` if other fields contain what it counts.`,
  )
}

/** The path of a field, with indexes, for an error message. */
function shownPath(path: string): string {
  return path
    .split(".")
    .map((part) => part.replace(/^[^[\]]*/, describeName))
    .join(".")
}

/** Whether a value is a count of tokens or of other units. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= MAX_COUNT
}

/** Whether a value is an object that is not an array. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

interface BilledField {
  readonly path: string
  readonly name: string
  readonly value: number
}

/** Finds the first positive number within a value whose path contains a billed word. */
function findBilled(value: unknown, path: string, ignored: ReadonlySet<string>, depth = 0): BilledField | undefined {
  if (depth > 5) return undefined
  if (typeof value === "object" && value !== null) {
    for (const [name, inner] of Object.entries(value)) {
      if (ignored.has(name)) continue
      const found = findBilled(inner, `${path}.${name}`, ignored, depth + 1)
      if (found !== undefined) return found
    }
    return undefined
  }
  const number = typeof value === "string" && /^\d+(\.\d+)?$/.test(value) ? Number(value) : value
  if (typeof number !== "number" || !(number > 0)) return undefined
  const name = path.slice(path.lastIndexOf(".") + 1)
  const relative = path.slice(path.indexOf(".") + 1)
  const words = wordsOf(name)
  const notBilled = words.at(-1) === "tokens" ? NOT_TOKENS : NOT_BILLED
  return BILLED.test(relative) && !words.some((word) => notBilled.includes(word))
    ? { path, name, value: number }
    : undefined
}

/** Splits `total_time` and `totalTime` into `total` and `time`. */
function wordsOf(name: string): string[] {
  return name.split(/[_\W]+|(?=[A-Z])/).map((word) => word.toLowerCase())
}
