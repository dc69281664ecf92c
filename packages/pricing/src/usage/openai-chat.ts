import type { Usage } from "@p2/core"
import { readForMeter, readStrictly, type UsageReading } from "./read-usage"
import { reportedBy } from "./reported"
import { type CacheCount, inclusiveTotals } from "./token-totals"
import type { UsageFields, UsageReadOptions } from "./usage-fields"
import { usageOf } from "./usage-parts"

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
  return readStrictly(usage, options, (fields) => readChat(fields, "inside"))
}

/**
 * Reads `usage` of a chat completion for a meter: like `usageFromOpenAIChat`, or like `usageFromXAI` if the provider is `xai`.
 *
 * @param provider decides which field has the cost: see `reportedBy`
 */
export function readOpenAIChatUsage(usage: unknown, provider?: string): UsageReading {
  const read = provider === "xai" ? readXAIChat : (fields: UsageFields) => readChat(fields, "inside")
  return readForMeter(usage, reportedBy(provider, usage), read)
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
  const usage = readChat(fields, "beside")
  const sources = fields.count("num_sources_used")
  fields.ignore("num_server_side_tools_used", "cost_in_usd_ticks")
  return sources > 0 ? { ...usage, webSearches: sources } : usage
}

function readChat(fields: UsageFields, reasoningPosition: "inside" | "beside"): Usage {
  const prompt = fields.inner("prompt_tokens_details").ignore("text_tokens")
  const output = fields
    .inner("completion_tokens_details")
    .ignore("text_tokens", "accepted_prediction_tokens", "rejected_prediction_tokens")
  const cache = readCache(fields, prompt)
  const audioInput = prompt.count("audio_tokens")
  const imageInput = prompt.count("image_tokens") + prompt.count("video_tokens")
  const audioOutput = output.count("audio_tokens")
  const imageOutput = output.count("image_tokens")
  const totals = inclusiveTotals({
    // Some gateways repeat the counts under the names of the Responses API.
    input: Math.max(fields.required("prompt_tokens"), fields.count("input_tokens")),
    output: Math.max(fields.required("completion_tokens"), fields.count("output_tokens")),
    total: fields.optional("total_tokens"),
    cacheRead: cache.read,
    cacheWrite: cache.write,
    reasoning: output.firstCount("reasoning_tokens") || fields.count("reasoning_tokens"),
    mediaInput: audioInput + imageInput,
    mediaOutput: audioOutput + imageOutput,
    reasoningPosition,
  })
  return usageOf(totals.inputTokens, totals.outputTokens, {
    cacheReadTokens: cache.read.tokens,
    cacheWriteTokens: cache.write.tokens - cache.writeHour,
    cacheWrite1hTokens: cache.writeHour,
    audioInputTokens: audioInput,
    imageInputTokens: imageInput,
    reasoningTokens: totals.reasoningTokens,
    audioOutputTokens: audioOutput,
    imageOutputTokens: imageOutput,
    webSearches: fields.inner("server_tool_use").count("web_search_requests"),
    assumptions: totals.assumptions,
  })
}

interface CacheCounts {
  readonly read: CacheCount
  readonly write: CacheCount
  /** Part of `write` that was written for one hour. */
  readonly writeHour: number
}

/** The fields in `prompt_tokens_details`, and those of DeepSeek and Moonshot, count a part of the prompt. */
function readCache(fields: UsageFields, prompt: UsageFields): CacheCounts {
  fields.ignore("prompt_cache_miss_tokens")
  const cachedInside =
    prompt.firstCount("cached_tokens", "cache_read_tokens", "cache_read_input_tokens") ||
    fields.firstCount("prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens")
  prompt.inner("cached_tokens_details").ignore("text_tokens", "audio_tokens", "image_tokens")
  const writtenInside = prompt.firstCount("cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens")
  // This field identifies LiteLLM, whose prompt count includes cached tokens.
  const isLiteLLM = prompt.has("cache_creation_token_details") || fields.has("cache_creation_token_details")
  const details = [
    prompt.inner("cache_creation_token_details"),
    prompt.inner("cache_creation"),
    fields.inner("cache_creation_token_details"),
    fields.inner("cache_creation"),
  ]
  const writeHour = Math.max(...details.map((each) => each.count("ephemeral_1h_input_tokens")))
  const writeMinutes = Math.max(...details.map((each) => each.count("ephemeral_5m_input_tokens")))
  const read = fields.count("cache_read_input_tokens")
  const written = fields.count("cache_creation_input_tokens")
  return {
    read: { tokens: Math.max(cachedInside, read), isInside: isLiteLLM || cachedInside >= read },
    write: {
      tokens: Math.max(writtenInside, written, writeHour + writeMinutes),
      isInside: isLiteLLM || (writtenInside > 0 && writtenInside >= Math.max(written, writeHour + writeMinutes)),
    },
    writeHour,
  }
}
