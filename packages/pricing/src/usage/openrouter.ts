import type { ReportedCost } from "../cost/cost-options"
import type { CallUsage } from "./call-usage"
import { readChatUsage } from "./openai-chat"
import { UsageFields, type UsageReadOptions } from "./usage-fields"

/**
 * Reads `usage` of OpenRouter: OpenAI's chat usage, plus searches.
 *
 * @throws InvalidArgumentError if a total is missing or a count is not an integer, UnknownUsageError for an unknown field
 * @see https://openrouter.ai/docs/guides/administration/usage-accounting
 */
export function usageFromOpenRouter(usage: unknown, options: UsageReadOptions = {}): CallUsage {
  const fields = new UsageFields(usage)
  const result = readChatUsage(usage, fields, "inside")
  const webSearches = fields.inner("server_tool_use").count("web_search_requests")
  fields.finish(options)
  return webSearches > 0 ? { ...result, webSearches } : result
}

/**
 * What OpenRouter reports that the call cost, for `costOf(…, { reported })`; undefined if it reports nothing.
 *
 * @see https://openrouter.ai/docs/guides/administration/usage-accounting
 */
export function reportedByOpenRouter(usage: unknown): ReportedCost | undefined {
  if (typeof usage !== "object" || usage === null) return undefined
  const { cost, is_byok, cost_details } = usage as Record<string, unknown>
  if (typeof cost !== "number" && typeof cost !== "string") return undefined
  const upstream = (cost_details as Record<string, unknown> | null | undefined)?.upstream_inference_cost
  return {
    costUsd: cost,
    isByok: is_byok === true,
    upstreamInferenceCost: typeof upstream === "number" || typeof upstream === "string" ? upstream : undefined,
  }
}
