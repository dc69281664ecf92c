import type { Usage } from "@p2/core"
import { usageFromOpenAIChat } from "./openai-chat"
import type { UsageReadOptions } from "./usage-fields"

/**
 * Reads OpenRouter's `usage`, which is OpenAI's chat usage plus searches.
 *
 * @throws InvalidArgumentError if a total is missing or a count is not an integer, UnknownUsageError for an unknown field
 * @see https://openrouter.ai/docs/guides/administration/usage-accounting
 */
export function usageFromOpenRouter(usage: unknown, options: UsageReadOptions = {}): Usage {
  return usageFromOpenAIChat(usage, options)
}
