import type { AffordOptions, BoundOptions } from "../bound/bound-options"
import type { Bound, Cost, PriceTier } from "../cost/cost"
import type { CostOptions, PriceOptions } from "../cost/cost-options"
import type { CallUsage } from "../usage/call-usage"
import type { ContextTier, MaxOutputBasis } from "./price-row"
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
  /** Which of the model's rates these are. */
  readonly tier: PriceTier
  /** Service tiers that have a listed price, `default` included. */
  readonly serviceTiers: readonly string[]
  /** Tokens that input and output may have together. */
  readonly contextWindow?: number
  /** Tokens that the input may have, where the provider states it apart from the context window. */
  readonly maxInputTokens?: number
  /** Tokens that one answer may have at most. */
  readonly maxOutputTokens?: number
  /** How `maxOutputTokens` is known: for this seller, for the same model of another one, or by the context window alone. */
  readonly maxOutputBasis?: MaxOutputBasis
  /** Whether the seller calls it free. */
  readonly free: boolean
  /** Day on which the source stated the price, `YYYY-MM-DD`. */
  readonly asOf: string
  /** Where the price is from: a package with its version, or a URL. */
  readonly source: string
  readonly basis: "table" | "custom"
}

/** A price list: your own from `createPriceTable`, or one provider's from a sub-path such as `@p2/pricing/openai`. */
export interface PriceTable {
  /** Day of the newest source, `YYYY-MM-DD`. */
  readonly tableDate: string
  /** The keys of all models, `provider/name`. Other spellings of an id are resolved to one of them. */
  models(): string[]
  /** The price of a model; undefined if it is unknown, or has no price at that time or for that service tier. */
  findPrice(model: string, options?: PriceOptions): Price | undefined
  /** The price of a model. @throws UnknownModelError, UnpricedUsageError for a service tier without a listed price */
  priceOf(model: string, options?: PriceOptions): Price
  /**
   * What a call cost: exact, rounded up once to nano-USD.
   * @throws UnknownModelError, UnpricedUsageError, InvalidArgumentError for negative, fractional or contradictory counts
   */
  costOf(model: string, usage: CallUsage, options?: CostOptions): Cost
  /**
   * The most that a call can cost: the maximum over every context tier, hour, period and service tier that it can reach.
   * @throws UnknownModelError, UnboundedCostError, UnpricedUsageError, InvalidArgumentError
   */
  upperBound(model: string, options: BoundOptions): Bound
  /**
   * The largest number of output tokens per answer whose upper bound fits into the budget; 0 if not even the input fits.
   * @throws UnknownModelError, UnboundedCostError, UnpricedUsageError, InvalidArgumentError
   */
  affordableOutputTokens(model: string, options: AffordOptions): number
}
