import type { Rates } from "./rates"

/** The rates of a call whose whole input has at least `fromInputTokens` tokens. They hold for the whole call. */
export interface ContextTier {
  /** Smallest number of input tokens at which these rates hold; 0 for the first tier. */
  readonly fromInputTokens: number
  readonly rates: Rates
}

/** Hours of the week, in UTC. If `startMinute` > `endMinute`, the window runs over midnight and belongs to its first day. */
export interface DailyWindow {
  /** Days of the week on which the window starts: 0 is Sunday, as in `Date.prototype.getUTCDay`. */
  readonly days: readonly number[]
  /** Minutes after midnight UTC, inclusive. */
  readonly startMinute: number
  /** Minutes after midnight UTC, exclusive. */
  readonly endMinute: number
}

/**
 * The rates of one service tier during some time. Of the sheets of a service tier that hold at an instant, the last one in
 * the row decides.
 */
export interface PriceSheet {
  /** `default`, or what is sent as `service_tier`, or `batch`, or `fast`. */
  readonly serviceTier: string
  /** First instant, in milliseconds since 1970; absent: always. */
  readonly fromMs?: number
  /** First instant at which the sheet no longer holds; absent: never. */
  readonly untilMs?: number
  /** Hours during which the sheet holds; absent: all. */
  readonly window?: DailyWindow
  /** A higher price that another source states or that may come at any time: a bound counts it, a cost does not. */
  readonly boundOnly?: boolean
  /** By growing `fromInputTokens`, the first at 0. */
  readonly tiers: readonly ContextTier[]
}

/**
 * How a maximum of output tokens is known.
 *
 * - `listed`: a source states it for this seller.
 * - `same model`: a source states it for the same model of another seller; this one may allow more.
 * - `context window`: no source states one, and an answer cannot be longer than the window that it shares with the input.
 *
 * A bound uses `listed`. For `same model` it counts the context window, which holds whatever the seller allows.
 */
export type MaxOutputBasis = "listed" | "same model" | "context window"

/** Why a row has no bound. */
export interface Unbounded {
  readonly reason: "routing" | "searches"
  /** The end of the error message. */
  readonly explanation: string
}

/** What a provider adds to its rates for calls that are processed in a region. */
export interface RegionalUplift {
  /** Name of the region; `*` for every region but the global one. */
  readonly region: string
  readonly percent: number
  /** Only tokens become more expensive, not what is billed by the piece. */
  readonly tokensOnly?: boolean
  /** The region may be a setting of the provider's workspace, so a bound counts it unless a region is stated. */
  readonly mayBeDefault?: boolean
}

/** Everything that is known about the price of one model at one provider. */
export interface PriceRow {
  /** The key, `provider/name`. */
  readonly model: string
  readonly provider: string
  readonly sheets: readonly PriceSheet[]
  readonly regions?: readonly RegionalUplift[]
  /** Tokens that input and output may have together. */
  readonly contextWindow?: number
  /** Tokens that the input may have, where the provider states it apart from the context window. */
  readonly maxInputTokens?: number
  /** Tokens that one answer may have at most. */
  readonly maxOutputTokens?: number
  /** How `maxOutputTokens` is known; absent where it is not known, and in prices of your own. */
  readonly maxOutputBasis?: MaxOutputBasis
  /** Cache writes happen only when the request asks for them (Anthropic), so a caller can rule them out. */
  readonly cacheWriteOnRequest?: boolean
  /** The seller calls it free; nothing is free because a number is missing. */
  readonly free?: boolean
  /** It can be priced, but not bounded: routing chooses the price, or the model searches as often as it likes. */
  readonly unbounded?: Unbounded
  /** Day on which the source stated the price, `YYYY-MM-DD`. */
  readonly asOf: string
  /** Where the price is from: a package with its version, or a URL. */
  readonly source: string
  readonly basis: "table" | "custom"
}
