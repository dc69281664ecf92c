import type { Usage } from "@p2/core"
import { readStrictly } from "./read-usage"
import { inclusiveTotals } from "./token-totals"
import type { UsageFields, UsageReadOptions } from "./usage-fields"
import { usageOf } from "./usage-parts"

/**
 * Reads the usage of a run of OpenAI's Agents SDK, with JavaScript (`result.state.usage`) or Python names. It sums several
 * calls and sets `calls` to their number: otherwise the sum would be priced as one call with a long context.
 *
 * @throws InvalidArgumentError if a total is missing or a count is not an integer, UnknownUsageError for an unknown field
 * @see https://openai.github.io/openai-agents-js/guides/running-agents
 */
export function usageFromOpenAIAgents(usage: unknown, options: UsageReadOptions = {}): Usage {
  return readStrictly(usage, options, readAgents)
}

function readAgents(fields: UsageFields): Usage {
  fields.ignore("requestUsageEntries", "request_usage_entries")
  const isPython = fields.has("input_tokens")
  const name = (camelCase: string, snakeCase: string) => (isPython ? snakeCase : camelCase)
  const calls = fields.count("requests")
  const input = readDetails(fields, name("inputTokensDetails", "input_tokens_details"))
  const output = readDetails(fields, name("outputTokensDetails", "output_tokens_details"))
  const sumOf = (details: readonly UsageFields[], ...names: string[]) =>
    details.reduce((sum, each) => sum + each.firstCount(...names), 0)
  const cacheRead = sumOf(input, "cached_tokens", "cachedTokens")
  const cacheWrite = sumOf(input, "cache_write_tokens", "cacheWriteTokens")
  const audioInput = sumOf(input, "audio_tokens", "audioTokens")
  const audioOutput = sumOf(output, "audio_tokens", "audioTokens")
  const totals = inclusiveTotals({
    input: fields.required(name("inputTokens", "input_tokens")),
    output: fields.required(name("outputTokens", "output_tokens")),
    total: fields.optional(name("totalTokens", "total_tokens")),
    cacheRead: { tokens: cacheRead, isIncluded: true },
    cacheWrite: { tokens: cacheWrite, isIncluded: true },
    reasoning: sumOf(output, "reasoning_tokens", "reasoningTokens"),
    mediaInput: audioInput,
    mediaOutput: audioOutput,
    reasoningCount: "included",
  })
  for (const each of [...input, ...output]) each.ignore("text_tokens", "textTokens")
  return usageOf(totals.inputTokens, totals.outputTokens, {
    cacheReadTokens: cacheRead,
    cacheWriteTokens: cacheWrite,
    audioInputTokens: audioInput,
    audioOutputTokens: audioOutput,
    reasoningTokens: totals.reasoningTokens,
    calls,
    assumptions: totals.assumptions,
  })
}

/** The JavaScript SDK has one object for each call, the Python SDK one for all. */
function readDetails(fields: UsageFields, name: string): readonly UsageFields[] {
  return fields.isArray(name) ? fields.innerArray(name) : [fields.inner(name)]
}
