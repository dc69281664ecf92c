import type { PriceTable } from "@p2/pricing"
import type { AttemptCost } from "./charge"

/** The call whose answer names a model and a service tier. */
interface AnsweredCall {
  prices: PriceTable
  /** The id of the price of the call. */
  priceKey: string
  /** As the answer names it; undefined: it names none. */
  modelUsed: string | undefined
  /** As the answer names it, or as the call does; undefined or `auto`: neither names one. */
  serviceTier: string | undefined
}

/**
 * The cost of a usage by the price of the call, or by the price of the model that the answer names if that cost is higher. An
 * alias or a dated snapshot of the called model has the same price. A cost that the provider reported is the cost.
 *
 * Without a named service tier, a setting of OpenAI's project decided, so it is the highest cost of all tiers.
 *
 * @param chargeAt the cost of the usage by the price with this id, at this service tier
 */
export function dearerCharge(call: AnsweredCall, chargeAt: ChargeAt): AttemptCost | undefined {
  const charge = chargeAtTier(call, call.priceKey, chargeAt)
  if (charge === undefined || charge.costSource === "provider") return charge
  const usedKey = usedPriceKey(call)
  return dearer(charge, usedKey === undefined ? undefined : chargeAtTier(call, usedKey, chargeAt))
}

type ChargeAt = (priceKey: string, serviceTier: string | undefined) => AttemptCost | undefined

function chargeAtTier({ prices, serviceTier }: AnsweredCall, priceKey: string, chargeAt: ChargeAt) {
  if (serviceTier !== undefined && serviceTier !== "auto") return chargeAt(priceKey, serviceTier)
  const charge = chargeAt(priceKey, undefined)
  const price = prices.findPrice(priceKey)
  if (price?.provider !== "openai" || charge === undefined || charge.costSource === "provider") return charge
  return price.serviceTiers.map((tier) => chargeAt(priceKey, tier)).reduce(dearer, charge)
}

function dearer(first: AttemptCost | undefined, second: AttemptCost | undefined): AttemptCost | undefined {
  return first === undefined || (second !== undefined && second.costNanoUsd > first.costNanoUsd) ? second : first
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
