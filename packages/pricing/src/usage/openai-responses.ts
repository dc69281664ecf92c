import type { Usage } from "@p2/core"
import { UsageFields, usageWith } from "./usage-fields"

/**
 * `usage` of OpenAI's Responses API. Web searches are items of the response's output there, not usage: pass their number
 * as `webSearches` when the response has any.
 * @throws InvalidArgumentError when a total is missing or a count is none
 * @see https://platform.openai.com/docs/api-reference/responses/object#responses/object-usage
 */
export function usageFromOpenAIResponses(usage: unknown, webSearches = 0): Usage {
  const fields = new UsageFields(usage)
  const input = fields.inner("input_tokens_details")
  const output = fields.inner("output_tokens_details")
  return usageWith(fields.total("input_tokens"), fields.total("output_tokens"), usage, {
    cacheReadTokens: input.count("cached_tokens"),
    cacheWriteTokens: input.count("cache_write_tokens"),
    audioInputTokens: input.count("audio_tokens"),
    imageInputTokens: input.count("image_tokens"),
    reasoningTokens: output.count("reasoning_tokens"),
    audioOutputTokens: output.count("audio_tokens"),
    imageOutputTokens: output.count("image_tokens"),
    webSearches,
  })
}
