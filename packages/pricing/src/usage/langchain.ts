import type { Usage } from "@p2/core"
import { readStrictly } from "./read-usage"
import { inclusiveTotals } from "./token-totals"
import type { UsageFields, UsageReadOptions } from "./usage-fields"
import { usageOf } from "./usage-parts"

/**
 * Reads `usage_metadata` of a LangChain message, whose totals contain their parts.
 *
 * @throws InvalidArgumentError if a total is missing or a count is not an integer, UnknownUsageError for an unknown field
 * @see https://python.langchain.com/api_reference/core/messages/langchain_core.messages.ai.UsageMetadata.html
 */
export function usageFromLangChain(usageMetadata: unknown, options: UsageReadOptions = {}): Usage {
  return readStrictly(usageMetadata, options, readLangChain, { path: "usage_metadata" })
}

function readLangChain(fields: UsageFields): Usage {
  const input = fields.inner("input_token_details").ignore("text")
  const output = fields.inner("output_token_details").ignore("text")
  const cacheRead = input.count("cache_read")
  const writeHour = input.count("ephemeral_1h_input_tokens")
  const cacheWrite = Math.max(input.count("cache_creation"), writeHour + input.count("ephemeral_5m_input_tokens"))
  const audioInput = input.count("audio")
  const imageInput = input.count("image") + input.count("video")
  const audioOutput = output.count("audio")
  const imageOutput = output.count("image")
  const totals = inclusiveTotals({
    input: fields.required("input_tokens"),
    output: fields.required("output_tokens"),
    total: fields.optional("total_tokens"),
    cacheRead: { tokens: cacheRead, isIncluded: true },
    cacheWrite: { tokens: cacheWrite, isIncluded: true },
    reasoning: output.count("reasoning"),
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
    assumptions: totals.assumptions,
  })
}
