import type { Usage } from "@p2/core"
import type { Bound, Cost } from "../cost/cost"
import { table as anthropic } from "../generated/anthropic"
import { table as google } from "../generated/google"
import { table as openai } from "../generated/openai"
import { table as openrouter } from "../generated/openrouter"
import { table as others } from "../generated/others"
import { ModelLookup } from "./model-lookup"
import type { AffordOptions, BoundOptions, CostOptions, Price, PriceOptions, PriceTable } from "./price-table"
import { RowTable } from "./row-table"

/** The published prices of every provider that this package knows. Read from text at the first question. */
export const prices: PriceTable = /* @__PURE__ */ new RowTable(
  /* @__PURE__ */ new ModelLookup([openai, anthropic, google, openrouter, others]),
)

/** The price of a model at an instant and for a service tier. @throws UnknownModelError, which names the nearest known ids */
export function priceOf(model: string, options?: PriceOptions): Price {
  return prices.priceOf(model, options)
}

/** The price of a model, or undefined when it is unknown. */
export function findPrice(model: string, options?: PriceOptions): Price | undefined {
  return prices.findPrice(model, options)
}

/**
 * What a call cost: exact, rounded up once to nano-USD.
 * @throws UnknownModelError, UnpricedUsageError, InvalidArgumentError for negative, fractional or contradictory counts
 */
export function costOf(model: string, usage: Usage, options?: CostOptions): Cost {
  return prices.costOf(model, usage, options)
}

/**
 * The most that a call can cost: the maximum over every context tier, hour, period and service tier that it can reach.
 * @throws UnknownModelError, UnboundedCostError, UnpricedUsageError, InvalidArgumentError
 */
export function upperBound(model: string, options: BoundOptions): Bound {
  return prices.upperBound(model, options)
}

/**
 * The largest number of output tokens per answer whose upper bound fits `options.budget` (nano-USD); 0 when not even
 * the input fits. The exact inverse of `upperBound`.
 * @throws UnknownModelError, UnboundedCostError, UnpricedUsageError, InvalidArgumentError
 */
export function affordableOutputTokens(model: string, options: AffordOptions): number {
  return prices.affordableOutputTokens(model, options)
}

/** Day of the newest source of the table, `YYYY-MM-DD`. */
export function tableDate(): string {
  return prices.tableDate
}
