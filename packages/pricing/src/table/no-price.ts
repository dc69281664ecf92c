import { UnknownModelError } from "@p2/core"

/** The error of a model whose listed price does not hold at the time of the call. */
export function noPriceYet(model: string): UnknownModelError {
  return new UnknownModelError(model, {
    what: "price at the time of the call",
    remedy: "Its listed price begins later or has ended: pass `at`, or add a price with createPriceTable.",
  })
}
