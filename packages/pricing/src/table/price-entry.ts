import type { DailyWindow } from "./price-row"
import type { RateKind } from "./rates"

/**
 * Rates as decimal strings of USD per million tokens, such as `"0.15"`, or of USD per piece for `request`, `search`,
 * `fileSearch`, `codeSession`, `image`, `second` and `character`. Up to twelve decimals of a dollar (six of a rate per
 * million tokens) are exact, further ones round up.
 */
export type RateEntry = { input: string; output: string } & {
  [kind in Exclude<RateKind, "input" | "output">]?: string | undefined
}

/**
 * Rates, and those of longer inputs. What a tier does not name is taken from the rates of the entry, raised in proportion
 * where the tier's `input` (or `output`) is higher, and never lowered: naming `input` alone cannot make a cache write cheap.
 */
export interface SheetEntry extends RateEntry {
  /** Rates from a number of input tokens on, for the whole call. */
  tiers?: (Partial<RateEntry> & { fromInputTokens: number })[] | undefined
}

/** Rates that hold during some time. Later periods win over earlier ones. */
export interface PeriodEntry extends SheetEntry {
  /** First instant, ISO 8601: a date is its midnight in UTC, a time has `Z` or an offset. */
  from?: string | undefined
  /** First instant at which the rates no longer hold, ISO 8601. */
  until?: string | undefined
  /** Hours of the week, in UTC. */
  window?: DailyWindow | undefined
  /** @defaultValue "default" */
  serviceTier?: string | undefined
}

/** The price of one model, as written by hand. */
export interface PriceEntry extends SheetEntry {
  /** Rates of other service tiers: what is sent as `service_tier`, or `batch`. Unnamed rates are taken as for `tiers`. */
  serviceTiers?: Record<string, SheetEntry> | undefined
  /** Rates that hold during some time. */
  periods?: PeriodEntry[] | undefined
  /** What a region adds, in percent: `{ eu: 10 }`. */
  regionUpliftPercent?: Record<string, number> | undefined
  /** Tokens that input and output may have together. */
  contextWindow?: number | undefined
  /** Tokens that the input may have. */
  maxInputTokens?: number | undefined
  /** Tokens that one answer may have. */
  maxOutputTokens?: number | undefined
  /** Cache writes happen only when the request asks for them. @defaultValue false */
  cacheWriteOnRequest?: boolean | undefined
  /** Must be true if every rate is "0": nothing is free by omission. @defaultValue false */
  free?: boolean | undefined
  /** Day of the price, `YYYY-MM-DD`. @defaultValue today */
  asOf?: string | undefined
  /** Where the price is from. @defaultValue "your own price" */
  source?: string | undefined
}
