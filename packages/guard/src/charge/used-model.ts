import type { PriceTable } from "@p2/pricing"
import type { AttemptCost } from "./charge"

/** The call whose answer names a model. */
interface AnsweredCall {
  prices: PriceTable
  /** The id of the price of the call. */
  priceKey: string
  /** As the answer names it; undefined: it names none. */
  modelUsed: string | undefined
}

/**
 * The cost of a usage by the price of the call, or by the price of the model that the answer names if that cost is higher. An
 * alias or a dated snapshot of the called model has the same price. A cost that the provider reported is the cost.
 *
 * @param chargeAt the cost of the usage by the price with this id
 */
export function dearerCharge(
  call: AnsweredCall,
  chargeAt: (priceKey: string) => AttemptCost | undefined,
): AttemptCost | undefined {
  const charge = chargeAt(call.priceKey)
  if (charge === undefined || charge.costSource === "provider") return charge
  const usedKey = usedPriceKey(call)
  const used = usedKey === undefined ? undefined : chargeAt(usedKey)
  return used !== undefined && used.costNanoUsd > charge.costNanoUsd ? used : charge
}

/** The id of the price of another model: of the same seller, else of its vendor. A price of the caller's own is final. */
function usedPriceKey({ prices, priceKey, modelUsed }: AnsweredCall): string | undefined {
  if (modelUsed === undefined || modelUsed === "") return undefined
  const called = prices.findPrice(priceKey)
  const slash = priceKey.indexOf("/")
  const seller = slash === -1 ? called?.provider : priceKey.slice(0, slash)
  for (const usedKey of [`${seller}/${modelUsed}`, modelUsed]) {
    const used = prices.findPrice(usedKey)
    if (used === undefined) continue
    if (called === undefined || used.model === called.model) return undefined
    return called.basis === "custom" && used.basis !== "custom" ? undefined : usedKey
  }
  return undefined
}
