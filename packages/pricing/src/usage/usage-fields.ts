import { checkOptions, describeValue, InvalidArgumentError, type Usage } from "@p2/core"
import { UnknownUsageError } from "../errors"

/** Options of every function that reads a provider's usage. */
export interface UsageReadOptions {
  /**
   * Names of unknown fields to ignore, because other fields include what they count: `["draft_tokens"]`.
   * @defaultValue none: an unknown field that seems to carry billed units is an error
   */
  ignoreFields?: readonly string[] | undefined
}

/** The names of {@link UsageReadOptions}. */
const OPTION_NAMES: ReadonlySet<string> = /* @__PURE__ */ new Set(["ignoreFields"])

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
  /token|cach|audio|image|video|document|search|request|second|minute|duration|character|reason|think|thought|page|unit/i
/** Words in names of times, amounts and limits, which are not billed themselves. */
const NOT_BILLED: readonly string[] = [
  ...["cost", "price", "usd", "fee", "ticks"],
  ...["latency", "time", "ms", "speed", "rate", "per", "ratio", "percent"],
  ...["ttl", "limit", "remaining"],
]

/**
 * Reads the counts of a provider's usage object. Null and absent are 0; anything else that is not a count is an error.
 * `finish` rejects unread fields that seem to be billed, so that no token class is dropped silently.
 *
 * Example: `{ prompt_tokens: 5, completion_tokens: 2, sketch_tokens: 9 }` is rejected at `usage.sketch_tokens`.
 */
export class UsageFields {
  readonly #fields: Record<string, unknown>
  readonly #path: string
  readonly #unread: Set<string>
  readonly #children: UsageFields[] = []

  constructor(value: unknown, path = "usage") {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw new InvalidArgumentError(path, "the provider's usage object", value)
    this.#fields = value as Record<string, unknown>
    this.#path = path
    this.#unread = new Set(Object.keys(value))
  }

  /** A count; undefined if it is absent or null. */
  optional(name: string): number | undefined {
    this.#unread.delete(name)
    const value = this.#fields[name]
    if (value === undefined || value === null) return undefined
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value
    throw new InvalidArgumentError(`${this.#path}.${name}`, "an integer of at least 0", value)
  }

  /** A count; 0 if it is absent. */
  count(name: string): number {
    return this.optional(name) ?? 0
  }

  /** A count; an error if it is absent. */
  required(name: string): number {
    const value = this.optional(name)
    if (value !== undefined) return value
    const argument = `${this.#path}.${name}`
    const hint = adviceForShape(this.#unread)
    const message = `Invalid \`${argument}\`: expected an integer of at least 0, got ${describeValue(this.#fields[name])}.`
    throw new InvalidArgumentError(argument, "an integer of at least 0", this.#fields[name], `${message}${hint}`)
  }

  /** The first positive count among several names. */
  firstCount(...names: string[]): number {
    return names.map((name) => this.count(name)).find((count) => count > 0) ?? 0
  }

  /** A number of at least 0 that need not be an integer. */
  optionalNumber(name: string): number | undefined {
    this.#unread.delete(name)
    const value = this.#fields[name]
    if (value === undefined || value === null) return undefined
    if (typeof value === "number" && Number.isFinite(value) && value >= 0) return value
    throw new InvalidArgumentError(`${this.#path}.${name}`, "a number of at least 0", value)
  }

  /** A string; undefined if it is absent or of another type. */
  string(name: string): string | undefined {
    const value = this.#fields[name]
    return typeof value === "string" ? value : undefined
  }

  /** Whether a field is present and not null. */
  has(name: string): boolean {
    return this.#fields[name] !== undefined && this.#fields[name] !== null
  }

  /** Whether a field is an array. */
  isArray(name: string): boolean {
    return Array.isArray(this.#fields[name])
  }

  /** The reader of an inner object; empty if it is absent. */
  inner(name: string): UsageFields {
    this.#unread.delete(name)
    const inner = new UsageFields(this.#fields[name] ?? {}, `${this.#path}.${name}`)
    this.#children.push(inner)
    return inner
  }

  /** An inner array; empty if it is absent. */
  array(name: string): readonly unknown[] {
    this.#unread.delete(name)
    const value = this.#fields[name] ?? []
    if (Array.isArray(value)) return value
    throw new InvalidArgumentError(`${this.#path}.${name}`, "an array", value)
  }

  /** Marks fields that other fields include or that are not billed. */
  ignore(...names: readonly string[]): this {
    for (const name of names) this.#unread.delete(name)
    return this
  }

  /** @throws UnknownUsageError for a field that was not read and seems to carry billed units */
  finish(options: UsageReadOptions = {}, hint = "Update @p2/pricing", names: ReadonlySet<string> = OPTION_NAMES): void {
    checkOptions(options, names)
    if (options.ignoreFields !== undefined && !Array.isArray(options.ignoreFields))
      throw new InvalidArgumentError(
        "ignoreFields",
        'an array of names, such as ["draft_tokens"]',
        options.ignoreFields,
      )
    const ignored = new Set(options.ignoreFields ?? [])
    for (const name of this.#unread) {
      if (ignored.has(name)) continue
      const found = findBilled(this.#fields[name], `${this.#path}.${name}`, ignored)
      if (found !== undefined)
        throw new UnknownUsageError(
          found.path,
          found.value,
          `${hint}, or pass \`{ ignoreFields: [${JSON.stringify(found.name)}] }\` if other fields contain what it counts.`,
        )
    }
    for (const child of this.#children) child.finish(options, hint, names)
  }
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
  return BILLED.test(relative) && !wordsOf(name).some((word) => NOT_BILLED.includes(word))
    ? { path, name, value: number }
    : undefined
}

/** Splits `total_time` and `totalTime` into `total` and `time`. */
function wordsOf(name: string): string[] {
  return name.split(/[_\W]+|(?=[A-Z])/).map((word) => word.toLowerCase())
}

/** The parts of a usage that may be absent. */
type UsagePart = Exclude<keyof Usage, "raw" | "inputTokens" | "outputTokens" | "assumptions" | "serviceTier" | "region">

/** Creates a usage with the parts that are above 0. */
export function usageWith(
  inputTokens: number,
  outputTokens: number,
  raw: unknown,
  parts: { [part in UsagePart]?: number | undefined },
  assumptions: readonly string[] = [],
): Usage {
  const usage: Usage = { inputTokens, outputTokens }
  for (const [part, value] of Object.entries(parts) as [UsagePart, number | undefined][])
    if (value !== undefined && value > 0) usage[part] = value
  if (assumptions.length > 0) usage.assumptions = assumptions
  usage.raw = raw
  return usage
}
