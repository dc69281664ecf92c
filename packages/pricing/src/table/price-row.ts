import type { MaxOutputBasis } from "@p2/core/model-limits"
import type { Rates } from "./rates"

/** The rates of a call with at least `fromInputTokens` input tokens. They apply to the whole call. */
export interface ContextTier {
  /** Minimum number of input tokens for these rates; 0 for the first tier. */
  readonly fromInputTokens: number
  readonly rates: Rates
}

/** Hours of the week, in UTC. If `startMinute` > `endMinute`, the window ends on the next day. */
export interface DailyWindow {
  /** Days of the week on which the window starts: 0 is Sunday, as in `Date.prototype.getUTCDay`. */
  readonly days: readonly number[]
  /** Minutes after midnight UTC, inclusive. */
  readonly startMinute: number
  /** Minutes after midnight UTC, exclusive. */
  readonly endMinute: number
}

/**
 * The rates of one service tier for a period of time. If several sheets of a service tier are valid at an instant, the last one
 * in the row applies.
 */
export interface PriceSheet {
  /** `default`, a value of `service_tier`, `batch` or `fast`. */
  readonly serviceTier: string
  /** Start, in milliseconds since 1970; absent: always. */
  readonly fromMs?: number
  /** End, exclusive, in milliseconds since 1970; absent: never. */
  readonly untilMs?: number
  /** Hours during which the sheet is valid; absent: all. */
  readonly window?: DailyWindow
  /** Whether only bounds use this price: another source states it, or it may take effect at any time. */
  readonly boundOnly?: boolean
  /** In ascending order of `fromInputTokens`, starting at 0. */
  readonly tiers: readonly ContextTier[]
}

/** Why a row has no bound. */
export interface Unbounded {
  readonly reason: "routing" | "searches"
  /** The end of the error message. */
  readonly explanation: string
}

/** The uplift of a provider for calls that are processed in a region. */
export interface RegionalUplift {
  /** Name of the region; `*` for every region except the global one. */
  readonly region: string
  readonly percent: number
  /** Whether the uplift applies only to tokens, not to pieces. */
  readonly tokensOnly?: boolean
  /** Whether a setting of the provider's workspace can select the region, so that a bound includes it unless a region is stated. */
  readonly mayBeDefault?: boolean
}

/** The price of one model at one provider. */
export interface PriceRow {
  /** The key, `provider/name`. */
  readonly model: string
  readonly provider: string
  readonly sheets: readonly PriceSheet[]
  readonly regions?: readonly RegionalUplift[]
  /** Maximum tokens of input and output together. */
  readonly contextWindow?: number
  /** Maximum tokens of the input, if the provider states it in addition to the context window. */
  readonly maxInputTokens?: number
  /** Maximum tokens of one answer. */
  readonly maxOutputTokens?: number
  /** Source of `maxOutputTokens`; absent if it is unknown, and in prices of your own. */
  readonly maxOutputBasis?: MaxOutputBasis
  /** Whether cache writes happen only on request (Anthropic), so that a caller can exclude them. */
  readonly cacheWriteOnRequest?: boolean
  /** Whether the seller calls the model free. A missing number never makes a model free. */
  readonly free?: boolean
  /** Present if calls have no bound: routing selects the price, or the model decides how often it searches. */
  readonly unbounded?: Unbounded
  /** Day on which the source stated the price, `YYYY-MM-DD`. */
  readonly asOf: string
  /** Source of the price: a package with its version, or a URL. */
  readonly source: string
  readonly basis: "table" | "custom"
}
