import type { DailyWindow } from "./price-row"
import type { RateKind } from "./rates"

/**
 * Rates as decimal strings of USD per million tokens, such as `"0.15"`, or of USD per piece for `request`, `search`,
 * `fileSearch`, `codeSession`, `image`, `second` and `character`. Up to six decimals per million tokens and twelve per piece
 * are exact; further decimals are rounded up.
 */
export type RateEntry = { input: string; output: string } & {
  [kind in Exclude<RateKind, "input" | "output">]?: string | undefined
}

/**
 * Rates, and the rates of longer inputs. A tier inherits the rates that it does not name. They are raised in proportion if the
 * tier's `input` (or `output`) is higher, and never lowered: naming only `input` cannot make a cache write cheap.
 */
export interface SheetEntry extends RateEntry {
  /** Rates for calls with at least `fromInputTokens` input tokens. They apply to the whole call. */
  tiers?: (Partial<RateEntry> & { fromInputTokens: number })[] | undefined
}

/** Rates for a period of time. Later periods in the list take precedence. */
export interface PeriodEntry extends SheetEntry {
  /** Start, ISO 8601: a date is midnight in UTC, a time has `Z` or an offset. */
  from?: string | undefined
  /** End, exclusive, ISO 8601. */
  until?: string | undefined
  /** Hours of the week, in UTC. */
  window?: DailyWindow | undefined
  /** @defaultValue "default" */
  serviceTier?: string | undefined
}

/** The price of one model, as written by hand. */
export interface PriceEntry extends SheetEntry {
  /** Rates of other service tiers, by the value of `service_tier`, or `batch`. Unnamed rates are inherited as in `tiers`. */
  serviceTiers?: Record<string, SheetEntry> | undefined
  /** Rates for periods of time. */
  periods?: PeriodEntry[] | undefined
  /** Uplift of each region in percent: `{ eu: 10 }`. */
  regionUpliftPercent?: Record<string, number> | undefined
  /** Maximum tokens of input and output together. */
  contextWindow?: number | undefined
  /** Maximum tokens of the input. */
  maxInputTokens?: number | undefined
  /** Maximum tokens of one answer. */
  maxOutputTokens?: number | undefined
  /** Whether cache writes happen only on request. @defaultValue false */
  cacheWriteOnRequest?: boolean | undefined
  /** Must be true if every rate is "0": nothing is free by omission. @defaultValue false */
  free?: boolean | undefined
  /** Day of the price, `YYYY-MM-DD`. @defaultValue today */
  asOf?: string | undefined
  /** Source of the price. @defaultValue "your own price" */
  source?: string | undefined
}
