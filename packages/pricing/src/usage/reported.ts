import type { ReportedCost } from "../cost/cost-options"

/**
 * Reads the cost that OpenRouter reports, for `costOf(…, { reported })`; undefined if it reports no amount.
 *
 * @see https://openrouter.ai/docs/guides/administration/usage-accounting
 */
export function reportedByOpenRouter(usage: unknown): ReportedCost | undefined {
  const { cost, is_byok, cost_details } = recordOf(usage)
  const upstream = recordOf(cost_details).upstream_inference_cost
  if (!isAmount(cost)) return undefined
  return { costUsd: cost, isByok: is_byok === true, upstreamInferenceCost: isAmount(upstream) ? upstream : undefined }
}

/**
 * Reads the cost that xAI reports, including server-side tools; undefined if it reports no amount. A dollar has 10^10 ticks.
 *
 * @see https://docs.x.ai/developers/cost-tracking
 */
export function reportedByXAI(usage: unknown): ReportedCost | undefined {
  const ticks = recordOf(usage).cost_in_usd_ticks
  return Number.isSafeInteger(ticks) && (ticks as number) >= 0 ? { costUsd: `${ticks}e-10` } : undefined
}

/**
 * Reads the cost that Perplexity reports, including searches; undefined if it reports no amount.
 *
 * @see https://docs.perplexity.ai/api-reference
 */
export function reportedByPerplexity(usage: unknown): ReportedCost | undefined {
  const total = recordOf(recordOf(usage).cost).total_cost
  return isAmount(total) ? { costUsd: total } : undefined
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {}
}

function isAmount(value: unknown): value is number | string {
  const isDecimal = typeof value === "string" && /^\d*\.?\d+(e[+-]?\d+)?$/i.test(value)
  return isDecimal || (typeof value === "number" && Number.isFinite(value) && value >= 0)
}
