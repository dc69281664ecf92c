import type { Usage } from "@p2/core"
import type { MaxOutputBasis } from "@p2/core/model-limits"
import type { AffordOptions, BoundOptions } from "../bound/bound-options"
import type { Bound, Cost, PriceTier } from "../cost/cost"
import type { CostOptions, PriceOptions } from "../cost/cost-options"
import type { ContextTier } from "./price-row"
import type { Rates } from "./rates"

/** The price of a model at an instant and for a service tier. */
export interface Price {
  /** The key, `provider/name`, to which the id was resolved. */
  readonly model: string
  readonly provider: string
  /** Rates of the first context tier: pico-USD per token, which is micro-USD per million tokens. */
  readonly rates: Rates
  /** All context tiers, the first included. */
  readonly tiers: readonly ContextTier[]
  /** Identifies these rates among those of the model. */
  readonly tier: PriceTier
  /** Service tiers that have a listed price, `default` included. */
  readonly serviceTiers: readonly string[]
  /** Maximum tokens of input and output together. */
  readonly contextWindow?: number
  /** Maximum tokens of the input, if the provider states it in addition to the context window. */
  readonly maxInputTokens?: number
  /** Maximum tokens of one answer. */
  readonly maxOutputTokens?: number
  /** Source of `maxOutputTokens`: this seller, another seller of the same model, or only the context window. */
  readonly maxOutputBasis?: MaxOutputBasis
  /** Whether the seller calls it free. */
  readonly free: boolean
  /** Day on which the source stated the price, `YYYY-MM-DD`. */
  readonly asOf: string
  /** Source of the price: a package with its version, or a URL. */
  readonly source: string
  readonly basis: "table" | "custom"
}

/** A price list: your own from `createPriceTable`, or one provider's from a sub-path such as `@p2/pricing/openai`. */
export interface PriceTable {
  /** Day of the newest source, `YYYY-MM-DD`. */
  readonly tableDate: string
  /** Returns the keys of all models, `provider/name`. Other spellings of an id are resolved to one of them. */
  models(): string[]
  /** Returns the price of a model; undefined if it is unknown, or has no price at that time or for that service tier. */
  findPrice(model: string, options?: PriceOptions): Price | undefined
  /** Returns the price of a model. @throws UnknownModelError, UnpricedUsageError for a service tier without a listed price */
  priceOf(model: string, options?: PriceOptions): Price
  /**
   * Computes the exact cost of a call, rounded up once to nano-USD.
   * @throws UnknownModelError, UnpricedUsageError, InvalidArgumentError for negative, fractional or contradictory counts
   */
  costOf(model: string, usage: Usage, options?: CostOptions): Cost
  /**
   * Computes the most that a call can cost: the maximum over all context tiers, hours, periods and service tiers that may apply.
   * @throws UnknownModelError, UnboundedCostError, UnpricedUsageError, InvalidArgumentError
   */
  upperBound(model: string, options: BoundOptions): Bound
  /**
   * Computes the largest number of output tokens per answer whose upper bound fits the budget; 0 if not even the input fits.
   * @throws UnknownModelError, UnboundedCostError, UnpricedUsageError, InvalidArgumentError
   */
  affordableOutputTokens(model: string, options: AffordOptions): number
}
