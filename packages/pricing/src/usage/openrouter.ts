import type { Usage } from "@p2/core"
import type { ReportedCost } from "../table/price-table"
import { usageFromOpenAIChat } from "./openai-chat"
import { UsageFields, usageWith } from "./usage-fields"

/**
 * `usage` of OpenRouter: OpenAI's chat shape with the same meaning, plus searches.
 * @throws InvalidArgumentError when a total is missing or a count is none
 * @see https://openrouter.ai/docs/guides/administration/usage-accounting
 */
export function usageFromOpenRouter(usage: unknown): Usage {
  const { inputTokens, outputTokens, raw, ...parts } = usageFromOpenAIChat(usage)
  const webSearches = new UsageFields(usage).inner("server_tool_use").count("web_search_requests")
  return usageWith(inputTokens, outputTokens, raw, { ...parts, webSearches })
}

/**
 * What OpenRouter says that the call cost, for `costOf(…, { reported })`; undefined when it does not say.
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
