import type { Usage } from "@p2/core"
import { UsageFields, usageWith } from "./usage-fields"

/**
 * `usage` of Anthropic's Messages API. Its cache counts are beside `input_tokens`, so the input is the sum of the three.
 * Writes for one hour are told apart where `cache_creation` tells them apart.
 * @throws InvalidArgumentError when a total is missing or a count is none
 * @see https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching#tracking-cache-performance
 */
export function usageFromAnthropic(usage: unknown): Usage {
  const fields = new UsageFields(usage)
  const creation = fields.inner("cache_creation")
  const write1h = creation.count("ephemeral_1h_input_tokens") ?? 0
  const write5m = creation.count("ephemeral_5m_input_tokens") ?? 0
  const write = Math.max(fields.count("cache_creation_input_tokens") ?? 0, write1h + write5m)
  const read = fields.count("cache_read_input_tokens") ?? 0
  return usageWith(fields.total("input_tokens") + write + read, fields.total("output_tokens"), usage, {
    cacheReadTokens: read,
    cacheWriteTokens: write - write1h,
    cacheWrite1hTokens: write1h,
    webSearches: fields.inner("server_tool_use").count("web_search_requests"),
  })
}
