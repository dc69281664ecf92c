import type { NanoUsd } from "@p2/core"
import type { RateKind } from "../table/rates"

/** One line of a bill. It amounts to `count × picoUsdPerUnit` pico-USD. */
export interface CostLine {
  readonly kind: RateKind
  /** Tokens, or pieces for the kinds that are billed per unit. */
  readonly count: number
  /** Pico-USD (1e-12 USD) per token or piece. */
  readonly picoUsdPerUnit: number
}

/** Which rates of the model's price were used. */
export interface PriceTier {
  /** `default`, or the service tier whose rates were used. */
  readonly serviceTier: string
  /** The rates apply to calls with at least this many input tokens. */
  readonly fromInputTokens: number
  /** Present if the rates apply only during some hours, such as peak hours. */
  readonly hours?: "some"
}

/**
 * The actual or maximum cost of a call. `@p2/budget` accepts it as an amount: `nanoUsd` counts toward limits in dollars,
 * `tokens` toward limits in tokens.
 */
export interface Cost {
  /** Nano-USD (1e-9 USD), rounded up once from the exact sum. */
  readonly nanoUsd: NanoUsd
  /** Input tokens plus output tokens. */
  readonly tokens: number
  /** The exact sum in pico-USD (1e-12 USD). It is a getter, so `JSON.stringify(cost)` omits it. */
  readonly picoUsd: bigint
  /** The lines of the bill. Empty if only the provider's total is known. */
  readonly lines: readonly CostLine[]
  readonly tier?: PriceTier
  /** Key of the model whose price was used; the id that was passed if only the provider's total is known. */
  readonly model: string
  /** Day of the price, `YYYY-MM-DD`; for `provider` the day of the call. */
  readonly asOf: string
  /** `provider`: the provider reported the cost; `table`: a published price; `custom`: a price of your own. */
  readonly basis: "table" | "provider" | "custom"
  /** Nano-USD that the provider charged above (negative: below) the listed price. Only with basis `provider`. */
  readonly differenceNanoUsd?: number
  /** The assumptions made when the usage was read, if any: see `Usage.assumptions`. */
  readonly assumptions?: readonly string[]
}

/** The most that a call can cost. */
export interface Bound extends Cost {
  /**
   * OpenRouter only: what to send as `provider.max_price`, in USD per million tokens (`request` in USD per call), so that
   * no endpoint is chosen that is more expensive than the bound assumed.
   */
  readonly maxPrice?: { readonly prompt: number; readonly completion: number; readonly request?: number }
}
