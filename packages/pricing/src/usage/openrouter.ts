import type { ReportedCost } from "../cost/cost-options"
import type { CallUsage } from "./call-usage"
import { usageFromOpenAIChat } from "./openai-chat"
import type { UsageReadOptions } from "./usage-fields"

/**
 * Reads `usage` of OpenRouter, which is OpenAI's chat usage with searches.
 *
 * @throws InvalidArgumentError if a total is missing or a count is not an integer, UnknownUsageError for an unknown field
 * @see https://openrouter.ai/docs/guides/administration/usage-accounting
 */
export function usageFromOpenRouter(usage: unknown, options: UsageReadOptions = {}): CallUsage {
  return usageFromOpenAIChat(usage, options)
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
