import type { NanoUsd, Usage } from "@p2/core"
import type { Bound, Cost, PriceTier } from "../cost/cost"
import type { Instant } from "./instant"
import type { ContextTier, MaxOutputBasis, PriceRow } from "./price-row"
import type { Rates } from "./rates"

export interface PriceOptions {
  /** When the call is made. @defaultValue now */
  at?: Instant | undefined
  /** Service tier as the provider names it; one that the row does not list is billed at standard rates. @defaultValue "default" */
  serviceTier?: string | undefined
}

/** What the provider itself says that a call cost. */
export interface ReportedCost {
  /** USD, as a number or as its decimal digits: OpenRouter's `usage.cost`. */
  costUsd: number | string
  /** Whether the call went through a key of the user's own: then `costUsd` is the fee only. @defaultValue false */
  isByok?: boolean | undefined
  /** USD that the provider behind charges: OpenRouter's `cost_details.upstream_inference_cost`. Added when `isByok`. */
  upstreamInferenceCost?: number | string | null | undefined
}

export interface CostOptions extends PriceOptions {
  /** What the provider says. It wins over the table, and the difference is in the result. */
  reported?: ReportedCost | undefined
}

/** What tokens may consist of. */
export type Modality = "text" | "audio" | "image"

export interface BoundOptions {
  /** Most tokens that the input can have. */
  inputTokens: number
  /** Most tokens that one answer can have. @defaultValue what no answer of the model can pass; an error when that is unknown */
  maxOutputTokens?: number | undefined
  /** Number of answers asked for (`n`). @defaultValue 1 */
  choices?: number | undefined
  /** Most web searches that the provider can run. @defaultValue 0 */
  webSearches?: number | undefined
  /** Service tier that is sent. @defaultValue any: the dearest one counts */
  serviceTier?: string | undefined
  /** Earliest moment at which the provider may price the call. @defaultValue now */
  at?: Instant | undefined
  /** Latest such moment. @defaultValue never: every later price and every hour counts */
  deadline?: Instant | undefined
  /**
   * Which cache writes the request can cause: `none` and `5m` are believed only where writes happen on request
   * (Anthropic); elsewhere the provider decides. @defaultValue "any"
   */
  cacheWrites?: "any" | "5m" | "none" | undefined
  /** What the input may consist of; an error where it has no rate. @defaultValue everything that has a rate */
  inputModalities?: readonly Modality[] | undefined
  /** What the answer may consist of; an error where it has no rate. @defaultValue everything that has a rate */
  outputModalities?: readonly Modality[] | undefined
}

export interface AffordOptions extends Omit<BoundOptions, "maxOutputTokens"> {
  /** Money that is there, in nano-USD. */
  budget: NanoUsd
  /** Never answer more than this. @defaultValue what no answer of the model can pass, where it is known */
  maxOutputTokens?: number | undefined
}

/** The price of a model at an instant and for a service tier. */
export interface Price {
  /** The key, `provider/name`, to which the id was resolved. */
  readonly model: string
  readonly provider: string
  /** Rates of the first context tier: pico-USD per token, which is micro-USD per million tokens. */
  readonly rates: Rates
  /** All context tiers, the first included. */
  readonly tiers: readonly ContextTier[]
  /** Which part of the list this is. */
  readonly tier: PriceTier
  /** Service tiers that have rates of their own, `default` included. */
  readonly serviceTiers: readonly string[]
  readonly contextWindow?: number
  readonly maxInputTokens?: number
  readonly maxOutputTokens?: number
  /** How that is known: for this seller, for the same model of another one, or by the context window alone. */
  readonly maxOutputBasis?: MaxOutputBasis
  /** Said to be free. */
  readonly free: boolean
  /** Day on which the source said so, `YYYY-MM-DD`. */
  readonly asOf: string
  /** Where the price is from. */
  readonly source: string
  readonly basis: "table" | "custom"
}

/** A list of prices and the questions that can be asked of it. */
export interface PriceTable {
  /** Day of the newest source, `YYYY-MM-DD`. */
  readonly tableDate: string
  /** The keys of all rows. */
  models(): string[]
  /** The row that an id resolves to, by key, alias, date and suffix; undefined when there is none. */
  findRow(model: string): PriceRow | undefined
  /** The price of a model, or undefined when it is unknown. */
  findPrice(model: string, options?: PriceOptions): Price | undefined
  /** The price of a model. @throws UnknownModelError */
  priceOf(model: string, options?: PriceOptions): Price
  /**
   * What a call cost: exact, rounded up once to nano-USD.
   * @throws UnknownModelError, UnpricedUsageError, InvalidArgumentError for negative, fractional or contradictory counts
   */
  costOf(model: string, usage: Usage, options?: CostOptions): Cost
  /**
   * The most that a call can cost: the maximum over every context tier, hour, period and service tier that it can reach.
   * @throws UnknownModelError, UnboundedCostError, UnpricedUsageError, InvalidArgumentError
   */
  upperBound(model: string, options: BoundOptions): Bound
  /**
   * The largest number of output tokens per answer whose upper bound fits the budget; 0 when not even the input fits.
   * @throws UnknownModelError, UnboundedCostError, UnpricedUsageError, InvalidArgumentError
   */
  affordableOutputTokens(model: string, options: AffordOptions): number
}
