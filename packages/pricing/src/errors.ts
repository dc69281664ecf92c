import { type InvalidArgumentError, P2Error, type UnknownModelError } from "@p2/core"

/** Why a cost has no upper bound. */
export type UnboundedReason = "output" | "pieces" | "region" | "routing" | "searches" | "service-tier"

/** A call whose cost has no upper bound: code `unbounded-cost`. Nothing should be sent. */
export class UnboundedCostError extends P2Error<"unbounded-cost"> {
  /** The model id that was passed, or its key in the price table. */
  declare readonly model: string
  /**
   * - `output`: the maximum number of output tokens is unknown;
   * - `pieces`: the model is billed by the second, character or image, and their number is unknown;
   * - `region`, `service-tier`: the region or service tier has no listed price;
   * - `routing`: the provider's routing chooses the price;
   * - `searches`: the model decides how often it searches, and each search is billed.
   */
  declare readonly reason: UnboundedReason

  constructor(model: string, reason: UnboundedReason, message: string) {
    super(message, { code: "unbounded-cost", kind: "usage" })
    this.model = model
    this.reason = reason
  }

  /** Whether `value` is an `UnboundedCostError`, from any copy of the package. */
  static override isInstance(value: unknown): value is UnboundedCostError {
    return P2Error.isInstance(value) && value.code === "unbounded-cost"
  }
}

/** The model's price has no rate for something that is or may be used, which is never free: code `unpriced-usage`. */
export class UnpricedUsageError extends P2Error<"unpriced-usage"> {
  /** Key of the model in the price table. */
  declare readonly model: string
  /** The usage field without a rate, such as `webSearches`; or `serviceTier` or `region`. */
  declare readonly usage: string

  constructor(model: string, usage: string, message: string) {
    super(message, { code: "unpriced-usage", kind: "usage" })
    this.model = model
    this.usage = usage
  }

  /** Whether `value` is an `UnpricedUsageError`, from any copy of the package. */
  static override isInstance(value: unknown): value is UnpricedUsageError {
    return P2Error.isInstance(value) && value.code === "unpriced-usage"
  }
}

/** A provider's usage has an unknown field that seems to carry billed units: code `unknown-usage`. */
export class UnknownUsageError extends P2Error<"unknown-usage"> {
  /** Path of the field, such as `usage.prompt_tokens_details.video_tokens`. */
  declare readonly field: string

  constructor(field: string, value: number, remedy: string) {
    super(`Unknown usage field \`${field}\` with value ${value}: it may be billed. ${remedy}`, {
      code: "unknown-usage",
      kind: "usage",
    })
    this.field = field
  }

  /** Whether `value` is an `UnknownUsageError`, from any copy of the package. */
  static override isInstance(value: unknown): value is UnknownUsageError {
    return P2Error.isInstance(value) && value.code === "unknown-usage"
  }
}

/** The newest source of a table exceeds the maximum age: code `stale-prices`. */
export class StalePricesError extends P2Error<"stale-prices"> {
  /** Whole days since the newest source. */
  declare readonly ageDays: number
  /** Maximum age in whole days. */
  declare readonly maxAgeDays: number

  constructor(tableDate: string, ageDays: number, maxAgeDays: number) {
    super(
      `Prices are out of date: the newest source is from ${tableDate}, ${ageDays} days ago, expected at most ${maxAgeDays}. Update @p2/pricing, or pass prices of your own with createPriceTable. (Maintainers: raise the pins and run pnpm prices:update.)`,
      { code: "stale-prices", kind: "failed" },
    )
    this.ageDays = ageDays
    this.maxAgeDays = maxAgeDays
  }

  /** Whether `value` is a `StalePricesError`, from any copy of the package. */
  static override isInstance(value: unknown): value is StalePricesError {
    return P2Error.isInstance(value) && value.code === "stale-prices"
  }
}

/** Every error that this package throws. A `switch` on `code` narrows it to one class. */
export type PricingError =
  | InvalidArgumentError
  | StalePricesError
  | UnboundedCostError
  | UnknownModelError
  | UnknownUsageError
  | UnpricedUsageError

/** The codes of the errors of this package. */
export type PricingErrorCode = PricingError["code"]

const CODES: Record<PricingErrorCode, true> = {
  "invalid-argument": true,
  "stale-prices": true,
  "unbounded-cost": true,
  "unknown-model": true,
  "unknown-usage": true,
  "unpriced-usage": true,
}

/** Whether `value` is an error of this package; `code` then narrows it. */
export function isPricingError(value: unknown): value is PricingError {
  return P2Error.isInstance(value) && Object.hasOwn(CODES, value.code)
}
