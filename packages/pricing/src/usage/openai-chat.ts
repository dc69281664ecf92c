import type { Usage } from "@p2/core"
import { UsageFields, usageWith } from "./usage-fields"

/**
 * `usage` of a chat completion, of OpenAI and of servers that speak like it. Cached, audio and reasoning tokens are
 * inside the totals already. DeepSeek's `prompt_cache_hit_tokens` is understood; everything else stays in `raw`.
 * @throws InvalidArgumentError when a total is missing or a count is none
 * @see https://platform.openai.com/docs/api-reference/chat/object#chat/object-usage
 */
export function usageFromOpenAIChat(usage: unknown): Usage {
  const fields = new UsageFields(usage)
  const input = fields.inner("prompt_tokens_details")
  const output = fields.inner("completion_tokens_details")
  return usageWith(fields.total("prompt_tokens"), fields.total("completion_tokens"), usage, {
    cacheReadTokens: input.count("cached_tokens") ?? fields.count("prompt_cache_hit_tokens"),
    cacheWriteTokens: input.count("cache_write_tokens"),
    audioInputTokens: input.count("audio_tokens"),
    imageInputTokens: input.count("image_tokens"),
    reasoningTokens: output.count("reasoning_tokens"),
    audioOutputTokens: output.count("audio_tokens"),
    imageOutputTokens: output.count("image_tokens"),
  })
}
