import type { Usage } from "@p2/core"
import { boundedRaw, readForMeter, readStrictly, type UsageReading } from "./read-usage"
import { reportedBy } from "./reported"
import { type CacheCount, inclusiveTotals } from "./token-totals"
import { isCount, isRecord, type UsageFields, type UsageReadOptions } from "./usage-fields"
import { usageOf, withTierAndRegion } from "./usage-parts"

/**
 * Reads `usage` of a chat completion from OpenAI, or from a server or gateway with the same API. Cached, audio, image and
 * reasoning tokens are parts of the totals, unless `total_tokens` shows otherwise. If that is ambiguous, the more expensive
 * reading is taken and named in `assumptions`. Also reads DeepSeek's `prompt_cache_hit_tokens`, and the cache fields of
 * Anthropic and LiteLLM.
 *
 * @throws InvalidArgumentError if a total is missing or a count is not an integer, UnknownUsageError for an unknown field
 * @see https://platform.openai.com/docs/api-reference/chat/object#chat/object-usage
 * @example
 * usageFromOpenAIChat({ prompt_tokens: 1200, completion_tokens: 300, prompt_tokens_details: { cached_tokens: 1024 } })
 * // { inputTokens: 1200, outputTokens: 300, cacheReadTokens: 1024, raw: … }
 */
export function usageFromOpenAIChat(usage: unknown, options: UsageReadOptions = {}): Usage {
  return readStrictly(usage, options, (fields) => readChat(fields, "included"))
}

/**
 * Reads `usage` of a chat completion for a meter: like `usageFromOpenAIChat`, or like `usageFromXAI` if the provider is `xai`.
 *
 * @param provider decides which field has the cost: see `reportedBy`
 */
export function readOpenAIChatUsage(usage: unknown, provider?: string): UsageReading {
  const cost = reportedBy(provider, usage)
  const totals = totalsOf(usage)
  if (totals !== undefined) return { status: "exact", usage: totals, cost }
  const read = provider === "xai" ? readXAIChat : (fields: UsageFields) => readChat(fields, "included")
  return readForMeter(usage, cost, read)
}

const TOTALS: readonly string[] = ["prompt_tokens", "completion_tokens", "total_tokens"]

/**
 * The usage of a call without cached, reasoning or other special tokens, as most calls are: totals that agree, and otherwise
 * only zeros. Reading all fields takes 5 % of what the client adds to a call (bench/overhead.mjs). Undefined: read all fields.
 */
function totalsOf(usage: unknown): Usage | undefined {
  if (!isRecord(usage)) return undefined
  const { prompt_tokens: inputTokens, completion_tokens: outputTokens, total_tokens: total } = usage
  if (!isCount(inputTokens) || !isCount(outputTokens) || total !== inputTokens + outputTokens) return undefined
  // A usage of zeros is read with care: it may prove nothing.
  if (total === 0) return undefined
  for (const name in usage)
    if (!TOTALS.includes(name) && !isZero(usage[name]) && !isObjectOfZeros(usage[name])) return undefined
  return { raw: boundedRaw(usage), inputTokens, outputTokens }
}

function isZero(value: unknown): boolean {
  return value === 0 || value === null
}

/** An object such as `prompt_tokens_details` of a call that used none of them. */
function isObjectOfZeros(value: unknown): boolean {
  return isRecord(value) && Object.values(value).every(isZero)
}

/**
 * Reads `usage` of xAI's chat completions. `completion_tokens` does not include reasoning, so it is added, unless
 * `total_tokens` shows that it is already included.
 *
 * @throws InvalidArgumentError if a total is missing or a count is not an integer, UnknownUsageError for an unknown field
 * @see https://docs.x.ai/docs/guides/reasoning
 */
export function usageFromXAI(usage: unknown, options: UsageReadOptions = {}): Usage {
  return readStrictly(usage, options, readXAIChat)
}

function readXAIChat(fields: UsageFields): Usage {
  const usage = readChat(fields, "separate")
  const sources = fields.count("num_sources_used")
  const tools = fields.count("num_server_side_tools_used")
  fields.ignore("cost_in_usd_ticks")
  if (sources + tools === 0) return usage
  const searches = { ...usage, webSearches: sources + tools }
  if (tools === 0) return searches
  return { ...searches, assumptions: [...(usage.assumptions ?? []), "server-side tools were counted as searches"] }
}

function readChat(fields: UsageFields, reasoningCount: "included" | "separate"): Usage {
  // Some gateways repeat the details under the names of the Responses API; some of Mistral's models use the singular.
  const prompt = new DetailFields(fields, ["prompt_tokens_details", "input_tokens_details", "prompt_token_details"])
  const output = new DetailFields(fields, ["completion_tokens_details", "output_tokens_details"])
  prompt.ignore("text_tokens")
  output.ignore("text_tokens")
  const cache = readCache(fields, prompt)
  const audioInput = prompt.largest("audio_tokens")
  const imageInput = prompt.largest("image_tokens") + prompt.largest("video_tokens")
  const audioOutput = output.largest("audio_tokens")
  const imageOutput = output.largest("image_tokens")
  const prompted = fields.required("prompt_tokens")
  const predicted = output.largest("accepted_prediction_tokens") + output.largest("rejected_prediction_tokens")
  const stated = Math.max(fields.required("completion_tokens"), fields.count("output_tokens"))
  // OpenAI includes the tokens of a prediction in the output.
  const extraPredicted = predicted > stated ? predicted : 0
  const missed = fields.count("prompt_cache_miss_tokens")
  const totals = inclusiveTotals({
    // Some gateways repeat the counts under the names of the Responses API.
    input: Math.max(prompted, fields.count("input_tokens"), missed > 0 ? cache.hits + missed : 0),
    output: stated + extraPredicted,
    total: fields.optional("total_tokens"),
    cacheRead: cache.read,
    cacheWrite: cache.write,
    reasoning: Math.max(output.largest("reasoning_tokens", "thinking_tokens"), fields.count("reasoning_tokens")),
    mediaInput: audioInput + imageInput,
    mediaOutput: audioOutput + imageOutput,
    reasoningCount,
  })
  const usage = usageOf(totals.inputTokens, totals.outputTokens, {
    cacheReadTokens: cache.read.tokens,
    cacheWriteTokens: cache.write.tokens - cache.writeHour,
    cacheWrite1hTokens: cache.writeHour,
    audioInputTokens: audioInput,
    imageInputTokens: imageInput,
    reasoningTokens: totals.reasoningTokens,
    audioOutputTokens: audioOutput,
    imageOutputTokens: imageOutput,
    webSearches: fields.inner("server_tool_use").count("web_search_requests"),
    assumptions:
      extraPredicted === 0
        ? totals.assumptions
        : [...totals.assumptions, "tokens of a prediction exceed the output, so they were counted in addition to it"],
  })
  return withTierAndRegion(usage, fields)
}

interface CacheCounts {
  readonly read: CacheCount
  readonly write: CacheCount
  /** Part of `write` that was written for one hour. */
  readonly writeHour: number
  /** DeepSeek's count of the tokens that were read. With its misses, it is the whole prompt. */
  readonly hits: number
}

/** The fields in the details, and those of DeepSeek and Moonshot, count part of the prompt. */
function readCache(fields: UsageFields, prompt: DetailFields): CacheCounts {
  const hits = fields.count("prompt_cache_hit_tokens")
  const inDetails = prompt.largest("cached_tokens", "cache_read_tokens", "cache_read_input_tokens")
  const cachedInside = Math.max(inDetails, hits, fields.firstCount("cached_tokens", "num_cached_tokens"))
  for (const each of prompt.inner("cached_tokens_details")) each.ignore("text_tokens", "audio_tokens", "image_tokens")
  const writtenInside = prompt.largest(
    ...["cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens", "cached_creation_tokens"],
  )
  // This field identifies LiteLLM, whose prompt count includes cached tokens.
  const isLiteLLM = prompt.has("cache_creation_token_details") || fields.has("cache_creation_token_details")
  const details = [
    ...prompt.inner("cache_creation_token_details", "cache_creation"),
    ...fields.innerObjects("cache_creation_token_details", "cache_creation"),
  ]
  // The names with `claude` are new-api's: https://github.com/QuantumNous/new-api/blob/main/dto/openai_response.go
  const writeHour = Math.max(
    ...details.map((each) => each.count("ephemeral_1h_input_tokens")),
    ...["claude_cache_creation_1_h_tokens", "cache_creation_1h_input_tokens"].map((name) => fields.count(name)),
  )
  const writeMinutes = Math.max(
    ...details.map((each) => each.count("ephemeral_5m_input_tokens")),
    ...["claude_cache_creation_5_m_tokens", "cache_creation_5m_input_tokens"].map((name) => fields.count(name)),
  )
  const read = fields.count("cache_read_input_tokens")
  const written = fields.count("cache_creation_input_tokens")
  // new-api states it if the prompt is counted as Anthropic counts it: without cached tokens.
  const isBeside = fields.string("usage_semantic") === "anthropic"
  return {
    read: { tokens: Math.max(cachedInside, read), isIncluded: !isBeside && (isLiteLLM || cachedInside >= read) },
    write: {
      tokens: Math.max(writtenInside, written, writeHour + writeMinutes),
      isIncluded:
        !isBeside && (isLiteLLM || (writtenInside > 0 && writtenInside >= Math.max(written, writeHour + writeMinutes))),
    },
    writeHour,
    hits,
  }
}

/** The details of a total, which gateways report under several names. */
class DetailFields {
  readonly #details: readonly UsageFields[]

  constructor(fields: UsageFields, names: readonly string[]) {
    this.#details = fields.innerObjects(...names)
  }

  /** The largest count under any of these names. */
  largest(...names: string[]): number {
    let largest = 0
    for (const each of this.#details) for (const name of names) largest = Math.max(largest, each.count(name))
    return largest
  }

  has(name: string): boolean {
    return this.#details.some((each) => each.has(name))
  }

  inner(...names: string[]): readonly UsageFields[] {
    return this.#details.flatMap((each) => each.innerObjects(...names))
  }

  ignore(...names: string[]): void {
    for (const each of this.#details) each.ignore(...names)
  }
}
