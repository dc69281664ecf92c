import { UnknownModelError } from "@p2/core"

/** Creates the error for a model without a valid price at the time of the call. */
export function noPriceYet(model: string): UnknownModelError {
  return new UnknownModelError(model, {
    what: "price at the time of the call",
    remedy: "Its listed price starts later or has ended: pass `at`, or add a price with createPriceTable.",
  })
}
