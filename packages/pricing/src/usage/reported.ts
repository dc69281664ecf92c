import type { ReportedCost } from "../cost/cost-options"

/** A reported cost above one million USD is ignored: no call costs that much. */
const MAX_COST_USD = 1_000_000
/** A longer string is not an amount. */
const MAX_DIGITS = 60

/**
 * Reads the cost that a provider reports in its usage, by the provider's name: `openrouter`, `xai` or `perplexity`. Undefined for
 * others, because `cost` has a documented meaning only there.
 */
export function reportedBy(provider: string | undefined, usage: unknown): ReportedCost | undefined {
  if (provider === "openrouter") return reportedByOpenRouter(usage)
  if (provider === "xai") return reportedByXAI(usage)
  return provider === "perplexity" ? reportedByPerplexity(usage) : undefined
}

/**
 * Reads the cost that OpenRouter reports, for `costOf(…, { reported })`; undefined if it reports none from 0 to 1,000,000 USD.
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
 * Reads the cost that xAI reports, including server-side tools; undefined if it reports none from 0 to 1,000,000 USD. A dollar has
 * 10^10 ticks.
 *
 * @see https://docs.x.ai/developers/cost-tracking
 */
export function reportedByXAI(usage: unknown): ReportedCost | undefined {
  const ticks = recordOf(usage).cost_in_usd_ticks
  const costUsd = `${ticks}e-10`
  return Number.isSafeInteger(ticks) && isAmount(costUsd) ? { costUsd } : undefined
}

/**
 * Reads the cost that Perplexity reports, including searches; undefined if it reports none from 0 to 1,000,000 USD.
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
  const isDecimal = typeof value === "string" && value.length <= MAX_DIGITS && /^\d*\.?\d+(e[+-]?\d+)?$/i.test(value)
  if (!isDecimal && typeof value !== "number") return false
  const usd = Number(value)
  return usd >= 0 && usd <= MAX_COST_USD
}
