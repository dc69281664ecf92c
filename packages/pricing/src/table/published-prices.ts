import type { Usage } from "@p2/core"
import { modelLimits } from "@p2/core/model-limits"
import type { AffordOptions, BoundOptions } from "../bound/bound-options"
import type { Bound, Cost } from "../cost/cost"
import type { CostOptions, PriceOptions } from "../cost/cost-options"
import { table as anthropic } from "../generated/anthropic"
import { table as google } from "../generated/google"
import { table as openai } from "../generated/openai"
import { table as openrouter } from "../generated/openrouter"
import { table as others } from "../generated/others"
import { ModelLookup } from "./model-lookup"
import type { Price } from "./price-table"
import { RowTable } from "./row-table"

/** The published prices of all providers in this package. A row is parsed when it is first needed. */
export const publishedPrices: RowTable = /* @__PURE__ */ new RowTable(
  /* @__PURE__ */ new ModelLookup([openai, anthropic, google, openrouter, others], modelLimits),
)

/**
 * Returns the published price of a model at an instant and for a service tier.
 *
 * @throws UnknownModelError with the most similar ids, UnpricedUsageError for a service tier without a price
 * @example
 * priceOf("gpt-4o-mini").rates.input // 150000 pico-USD per token: $0.15 per million
 */
export function priceOf(model: string, options?: PriceOptions): Price {
  return publishedPrices.priceOf(model, options)
}

/**
 * Returns the published price of a model; undefined if it is unknown, or has no price at that time or for that service tier.
 *
 * @example
 * findPrice("claude-opus-5-5")?.contextWindow // 1000000
 * findPrice("gpt-99") // undefined
 */
export function findPrice(model: string, options?: PriceOptions): Price | undefined {
  return publishedPrices.findPrice(model, options)
}

/**
 * Returns the keys of all models with a published price, `provider/name`.
 *
 * @example
 * models().filter((key) => key.startsWith("anthropic/"))
 */
export function models(): string[] {
  return publishedPrices.models()
}

/**
 * Computes the exact cost of a call by the published prices, rounded up once to nano-USD.
 *
 * @throws UnknownModelError, UnpricedUsageError, InvalidArgumentError for negative, fractional or contradictory counts
 * @example
 * costOf("gpt-4o-mini", { inputTokens: 12_000, outputTokens: 800 }).nanoUsd // 2280000
 */
export function costOf(model: string, usage: Usage, options?: CostOptions): Cost {
  return publishedPrices.costOf(model, usage, options)
}

/**
 * Computes the most that a call can cost by the published prices: the maximum over all context tiers, hours, periods and service
 * tiers that may apply. If `serviceTier` is absent, the most expensive tier applies.
 *
 * @throws UnknownModelError, UnboundedCostError, UnpricedUsageError, InvalidArgumentError
 * @example
 * upperBound("gpt-4o-mini", { inputTokens: 12_000, maxOutputTokens: 4_096, serviceTier: "default" }).nanoUsd // 4257600
 */
export function upperBound(model: string, options: BoundOptions): Bound {
  return publishedPrices.upperBound(model, options)
}

/**
 * Computes the largest number of output tokens per answer whose upper bound fits a budget; 0 if not even the input fits. This is
 * the exact inverse of `upperBound`.
 *
 * @throws UnknownModelError, UnboundedCostError, UnpricedUsageError, InvalidArgumentError
 * @example
 * affordableOutputTokens("gpt-4o-mini", { inputTokens: 12_000, budget: "0.005", serviceTier: "default" }) // 5333
 */
export function affordableOutputTokens(model: string, options: AffordOptions): number {
  return publishedPrices.affordableOutputTokens(model, options)
}

/** Returns the day of the newest source of the published prices, `YYYY-MM-DD`. */
export function tableDate(): string {
  return publishedPrices.tableDate
}
