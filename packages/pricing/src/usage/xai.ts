import type { Usage } from "@p2/core"
import { readChatUsage } from "./openai-chat"
import { UsageFields, type UsageReadOptions } from "./usage-fields"

/**
 * Reads `usage` of xAI's chat completions. `completion_tokens` does not include reasoning, so it is added, unless
 * `total_tokens` shows that it is already included.
 *
 * @throws InvalidArgumentError if a total is missing or a count is not an integer, UnknownUsageError for an unknown field
 * @see https://docs.x.ai/docs/guides/reasoning
 */
export function usageFromXAI(usage: unknown, options: UsageReadOptions = {}): Usage {
  const fields = new UsageFields(usage)
  const result = readChatUsage(usage, fields, "beside")
  const webSearches = fields.count("num_sources_used")
  fields.ignore("num_server_side_tools_used", "cost_in_usd_ticks")
  fields.finish(options)
  return webSearches > 0 ? { ...result, webSearches } : result
}
