import type { Usage } from "@p2/core"
import { readForMeter, readStrictly, type UsageReading } from "./read-usage"
import { reportedBy } from "./reported"
import { inclusiveTotals } from "./token-totals"
import type { UsageFields, UsageReadOptions } from "./usage-fields"
import { usageOf } from "./usage-parts"

const NAMES: ReadonlySet<string> = /* @__PURE__ */ new Set([
  "ignoreFields",
  "webSearches",
  "fileSearches",
  "codeInterpreterSessions",
])

/** The hosted tool calls in a response of the Responses API, which are output items and not part of its `usage`. */
export interface HostedToolCalls {
  /** Items of type `web_search_call`. @defaultValue 0 */
  webSearches?: number | undefined
  /** Items of type `file_search_call`. @defaultValue 0 */
  fileSearches?: number | undefined
  /** Distinct containers of the items of type `code_interpreter_call`, one for each GB of their memory. @defaultValue 0 */
  codeInterpreterSessions?: number | undefined
}

/**
 * Reads `usage` of OpenAI's Responses API. Hosted tool calls are output items of the response and not part of its usage: pass
 * their numbers if the response has any.
 *
 * @throws InvalidArgumentError if a total is missing or a count is not an integer, UnknownUsageError for an unknown field,
 * such as the cache counts of Anthropic's usage
 * @see https://platform.openai.com/docs/api-reference/responses/object#responses/object-usage
 */
export function usageFromOpenAIResponses(usage: unknown, options: UsageReadOptions & HostedToolCalls = {}): Usage {
  return readStrictly(usage, options, (fields) => readResponses(fields, options), { names: NAMES })
}

/** Reads `usage` of the Responses API for a meter. @param provider decides which field has the cost: see `reportedBy` */
export function readOpenAIResponsesUsage(
  usage: unknown,
  toolCalls: HostedToolCalls = {},
  provider?: string,
): UsageReading {
  return readForMeter(usage, reportedBy(provider, usage), (fields) => readResponses(fields, toolCalls))
}

function readResponses(fields: UsageFields, toolCalls: HostedToolCalls): Usage {
  const input = fields.inner("input_tokens_details").ignore("text_tokens")
  const output = fields.inner("output_tokens_details").ignore("text_tokens")
  // Perplexity uses Anthropic's names and includes them in the input.
  const cacheRead = input.firstCount("cached_tokens", "cache_read_input_tokens")
  const writeDetails = [input.inner("cache_creation"), input.inner("cache_creation_token_details")]
  // OpenAI's writes are for 30 minutes or for 12 hours. The price table has the longer time under the rate for one hour.
  const ownWrites = input.inner("cache_write_tokens_details")
  const writeHour = Math.max(
    ownWrites.count("ttl_12h_tokens"),
    ...writeDetails.map((each) => each.count("ephemeral_1h_input_tokens")),
  )
  const writeMinutes = Math.max(
    ownWrites.count("ttl_30m_tokens"),
    ...writeDetails.map((each) => each.count("ephemeral_5m_input_tokens")),
  )
  const cacheWrite = Math.max(
    input.firstCount("cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens"),
    writeHour + writeMinutes,
  )
  const audioInput = input.count("audio_tokens")
  const imageInput = input.count("image_tokens")
  const audioOutput = output.count("audio_tokens")
  const imageOutput = output.count("image_tokens")
  const totals = inclusiveTotals({
    input: fields.required("input_tokens"),
    output: fields.required("output_tokens"),
    total: fields.optional("total_tokens"),
    cacheRead: { tokens: cacheRead, isIncluded: true },
    cacheWrite: { tokens: cacheWrite, isIncluded: true },
    reasoning: output.firstCount("reasoning_tokens", "thinking_tokens"),
    mediaInput: audioInput + imageInput,
    mediaOutput: audioOutput + imageOutput,
    reasoningCount: "included",
  })
  return usageOf(totals.inputTokens, totals.outputTokens, {
    cacheReadTokens: cacheRead,
    cacheWriteTokens: cacheWrite - writeHour,
    cacheWrite1hTokens: writeHour,
    audioInputTokens: audioInput,
    imageInputTokens: imageInput,
    reasoningTokens: totals.reasoningTokens,
    audioOutputTokens: audioOutput,
    imageOutputTokens: imageOutput,
    webSearches: toolCalls.webSearches,
    fileSearches: toolCalls.fileSearches,
    codeInterpreterSessions: toolCalls.codeInterpreterSessions,
    assumptions: totals.assumptions,
  })
}
