import type { Instant } from "../table/instant"

/** What the provider itself reports that a call cost. */
export interface ReportedCost {
  /** USD, as a number or as decimal digits: OpenRouter's `usage.cost`. */
  costUsd: number | string
  /** Whether the call went through a key of your own: then `costUsd` is only the fee. @defaultValue false */
  isByok?: boolean | undefined
  /** USD that the provider behind the gateway charges: OpenRouter's `cost_details.upstream_inference_cost`. Added if `isByok`. */
  upstreamInferenceCost?: number | string | null | undefined
}

/** Options of `priceOf` and `findPrice`. */
export interface PriceOptions {
  /** When the call is made. @defaultValue now */
  at?: Instant | undefined
  /** Service tier as the provider names it. One without a listed price is an error. @defaultValue "default" */
  serviceTier?: string | undefined
}

/** Options of `costOf`. */
export interface CostOptions extends PriceOptions {
  /**
   * Region in which the call was processed, as the provider names it: `"eu"` for `https://eu.api.openai.com`, the
   * `inference_geo` of Anthropic's usage. A region without a listed price is an error. @defaultValue "global"
   */
  region?: string | undefined
  /** Whether the call went through a key of your own at OpenRouter, which adds a fee. @defaultValue false */
  byok?: boolean | undefined
  /**
   * Number of calls that the usage sums. Context tiers are chosen by the mean input of a call, and fees per request are
   * multiplied, so the cost is exact if the calls have inputs of the same tier. @defaultValue `usage.calls`, else 1
   */
  calls?: number | undefined
  /** What the provider reported. It wins over the table; the difference is in the result. */
  reported?: ReportedCost | undefined
}
