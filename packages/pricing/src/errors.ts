import { type InvalidArgumentError, P2Error, type UnknownModelError } from "@p2/core"

/** Why a cost has no upper bound. */
export type UnboundedReason = "output" | "pieces" | "region" | "routing" | "searches" | "service-tier"

/** A call whose cost has no upper bound: code `unbounded-cost`. Nothing should be sent. */
export class UnboundedCostError extends P2Error<"unbounded-cost"> {
  /** The model as it was passed, or its key in the price table. */
  declare readonly model: string
  /**
   * - `output`: the maximum of output tokens is not known;
   * - `pieces`: the model is billed by the second, character or image, and their number is not known;
   * - `region`, `service-tier`: the region or service tier has no listed price;
   * - `routing`: the provider's routing chooses the price;
   * - `searches`: the model searches as often as it likes, and each search is billed.
   */
  declare readonly reason: UnboundedReason

  constructor(model: string, reason: UnboundedReason, message: string) {
    super(message, { code: "unbounded-cost", kind: "usage" })
    this.model = model
    this.reason = reason
  }

  /** Whether `value` is an `UnboundedCostError`, from whichever copy of the package. */
  static override isInstance(value: unknown): value is UnboundedCostError {
    return P2Error.isInstance(value) && value.code === "unbounded-cost"
  }
}

/** Something was used, or may be used, for which the model's price has no rate: code `unpriced-usage`. It is not free. */
export class UnpricedUsageError extends P2Error<"unpriced-usage"> {
  /** Key of the model in the price table. */
  declare readonly model: string
  /** What has no rate: a field of the usage such as `webSearches`, or `serviceTier` or `region`. */
  declare readonly usage: string

  constructor(model: string, usage: string, message: string) {
    super(message, { code: "unpriced-usage", kind: "usage" })
    this.model = model
    this.usage = usage
  }

  /** Whether `value` is an `UnpricedUsageError`, from whichever copy of the package. */
  static override isInstance(value: unknown): value is UnpricedUsageError {
    return P2Error.isInstance(value) && value.code === "unpriced-usage"
  }
}

/** A provider's usage has a field that seems to carry billed units and that is not known: code `unknown-usage`. */
export class UnknownUsageError extends P2Error<"unknown-usage"> {
  /** Path of the field, such as `usage.prompt_tokens_details.video_tokens`. */
  declare readonly field: string

  constructor(field: string, value: number, remedy: string) {
    super(`Unknown usage field \`${field}\` with ${value}: it may be billed. ${remedy}`, {
      code: "unknown-usage",
      kind: "usage",
    })
    this.field = field
  }

  /** Whether `value` is an `UnknownUsageError`, from whichever copy of the package. */
  static override isInstance(value: unknown): value is UnknownUsageError {
    return P2Error.isInstance(value) && value.code === "unknown-usage"
  }
}

/** The newest source of a table is older than allowed: code `stale-prices`. */
export class StalePricesError extends P2Error<"stale-prices"> {
  /** Whole days since the newest source. */
  declare readonly ageDays: number
  /** Whole days that were allowed. */
  declare readonly maxAgeDays: number

  constructor(tableDate: string, ageDays: number, maxAgeDays: number) {
    super(
      `Prices are out of date: the newest source is from ${tableDate}, ${ageDays} days ago, expected at most ${maxAgeDays}. Update @p2/pricing, or pass prices of your own with createPriceTable. (Maintainers: raise the pins and run pnpm prices:update.)`,
      { code: "stale-prices", kind: "failed" },
    )
    this.ageDays = ageDays
    this.maxAgeDays = maxAgeDays
  }

  /** Whether `value` is a `StalePricesError`, from whichever copy of the package. */
  static override isInstance(value: unknown): value is StalePricesError {
    return P2Error.isInstance(value) && value.code === "stale-prices"
  }
}

/** Every error that this package throws. Its `code` tells the class, so a `switch` on it types the fields. */
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

/** Whether `value` is an error of this package; afterwards `error.code` tells which one. */
export function isPricingError(value: unknown): value is PricingError {
  return P2Error.isInstance(value) && Object.hasOwn(CODES, value.code)
}
