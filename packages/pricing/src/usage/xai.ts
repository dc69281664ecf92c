import type { Usage } from "@p2/core"
import { UsageFields, usageWith } from "./usage-fields"

/**
 * `usage` of xAI's chat completions. Reasoning is beside `completion_tokens` there and is added; where `total_tokens`
 * shows that it is inside already, it is not added twice.
 * @throws InvalidArgumentError when a total is missing or a count is none
 * @see https://docs.x.ai/docs/guides/reasoning
 */
export function usageFromXAI(usage: unknown): Usage {
  const fields = new UsageFields(usage)
  const input = fields.inner("prompt_tokens_details")
  const output = fields.inner("completion_tokens_details")
  const prompt = fields.total("prompt_tokens")
  const completion = fields.total("completion_tokens")
  const reasoning = output.count("reasoning_tokens") ?? 0
  const inside = reasoning <= completion && fields.count("total_tokens") === prompt + completion
  return usageWith(prompt, inside ? completion : completion + reasoning, usage, {
    cacheReadTokens: input.count("cached_tokens"),
    audioInputTokens: input.count("audio_tokens"),
    imageInputTokens: input.count("image_tokens"),
    reasoningTokens: reasoning,
    audioOutputTokens: output.count("audio_tokens"),
    webSearches: fields.count("num_sources_used"),
  })
}
