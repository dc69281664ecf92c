import type { Instant } from "../table/instant"

/** The cost of a call as the provider reported it. */
export interface ReportedCost {
  /** USD, as a number or a decimal string: OpenRouter's `usage.cost`. */
  costUsd: number | string
  /** Whether the call used a key of your own: then `costUsd` is only the fee. @defaultValue false */
  isByok?: boolean | undefined
  /** USD that the provider behind the gateway charges: OpenRouter's `cost_details.upstream_inference_cost`. Added if `isByok`. */
  upstreamInferenceCost?: number | string | null | undefined
}

/** Options of `priceOf` and `findPrice`. */
export interface PriceOptions {
  /** When the call is made. @defaultValue now */
  at?: Instant | undefined
  /** Service tier as the provider names it. A tier without a listed price is an error. @defaultValue "default" */
  serviceTier?: string | undefined
}

/** Options of `costOf`. */
export interface CostOptions extends PriceOptions {
  /**
   * Region that processed the call, as the provider names it: `"eu"` for `https://eu.api.openai.com`, `inference_geo`
   * in Anthropic's usage. A region without a listed price is an error. @defaultValue "global"
   */
  region?: string | undefined
  /** Whether the call used a key of your own at OpenRouter, which adds a fee. @defaultValue false */
  byok?: boolean | undefined
  /**
   * Number of calls in the usage. The mean input of a call selects the context tier, and fees per request are multiplied, so
   * the cost is exact if the inputs of all calls are in the same tier. @defaultValue `usage.calls`, else 1
   */
  calls?: number | undefined
  /** Cost that the provider reported. It overrides the table; the result contains the difference. */
  reported?: ReportedCost | undefined
}
