import type { NanoUsd } from "@p2/core"
import type { RateKind } from "../table/rates"

/** One line of a bill. It amounts to `count × picoUsdPerUnit` pico-USD. */
export interface CostLine {
  readonly kind: RateKind
  /** Tokens; requests or searches for the kinds `request` and `search`. */
  readonly count: number
  /** Pico-USD per token, or per piece for the kinds `request` and `search`. */
  readonly picoUsdPerUnit: number
}

/** Which part of the price list was used. */
export interface PriceTier {
  /** `default`, or the service tier whose rates were used. */
  readonly serviceTier: string
  /** The rates hold for calls with at least so many input tokens. */
  readonly fromInputTokens: number
  /** Set when the rates hold at some hours only, such as peak hours. */
  readonly hours?: "some"
}

/** What a call cost, or can cost at most. */
export interface Cost {
  /** Rounded up once, from the exact sum. */
  readonly nanoUsd: NanoUsd
  /** The exact sum in pico-USD (1e-12). A getter of the prototype, so that `JSON.stringify(cost)` works. */
  readonly picoUsd: bigint
  /** The bill, line by line. Empty when only the provider's total is known. */
  readonly lines: readonly CostLine[]
  readonly tier?: PriceTier
  /** Key of the row that was used, or the id that was asked for when only the provider's total is known. */
  readonly model: string
  /** Day of the price, `YYYY-MM-DD`; for `provider` the day of the call. */
  readonly asOf: string
  /** `provider`: the provider said what it cost; `table`: a published price; `custom`: a price of your own. */
  readonly basis: "table" | "provider" | "custom"
  /** Nano-USD that the provider charged above (or, negative, below) the price list. Only with basis `provider`. */
  readonly difference?: number
}

/** The most that a call can cost. */
export interface Bound extends Cost {
  /**
   * OpenRouter only: what to send as `provider.max_price`, in USD per million tokens (`request` in USD), so that no
   * dearer endpoint is chosen than the one that the bound assumed.
   */
  readonly maxPrice?: { readonly prompt: number; readonly completion: number; readonly request?: number }
}
