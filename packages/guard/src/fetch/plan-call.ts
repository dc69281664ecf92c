import type { BudgetExceededError, DeniedLimit } from "@p2/budget"
import type { Bound } from "@p2/pricing"
import type { AttemptCost, ReservedCost } from "../charge/charge"
import { dearerCharge } from "../charge/used-model"
import type { ReportedUsage } from "../protocols/meter"
import type { CallTerms } from "../protocols/protocol"
import type { Guard } from "./guard-options"

/** The output limit that a call is sent with, and the most that it can cost. */
export interface CallPlan {
  /** Undefined: none is sent, so the model's maximum bounds the answer. */
  maxOutputTokens: number | undefined
  bound: Pick<Bound, "nanoUsd" | "tokens" | "maxPrice">
}

/** Plans a call with the output limit that the options and the call set. @throws P2Error of kind `usage` */
export function planCall(described: CallTerms, { maxOutputTokens: limit, clampTo, prices }: Guard): CallPlan {
  if (described.fixedBound !== undefined) return { maxOutputTokens: undefined, bound: described.fixedBound }
  return planWith(described, limitOf(described, limit, clampTo !== undefined), prices)
}

function limitOf(described: CallTerms, limit: number | undefined, isClamped: boolean): number | undefined {
  const own = described.maxOutputTokens
  if (limit === undefined || (own !== undefined && !(isClamped && own > limit))) return own
  return Math.max(limit, described.minOutputTokens)
}

/**
 * Plans a denied call with the largest output limit whose upper bound fits what remains of each denying limit.
 * Undefined: nothing remains for an answer, or the output limit is not lower than that of the denied plan.
 */
export function planWithin(
  described: CallTerms,
  denied: CallPlan,
  { all }: BudgetExceededError,
  { prices }: Guard,
  remainingIn: (limit: DeniedLimit) => number,
): CallPlan | undefined {
  if (described.fixedBound !== undefined) return undefined
  const affordable = all.map((limit) => {
    const remaining = Math.max(0, remainingIn(limit))
    if (limit.unit === "usd")
      return prices.affordableOutputTokens(described.priceKey, { ...boundOptions(described), budgetNanoUsd: remaining })
    if (limit.unit === "requests") return remaining < 1 ? 0 : Number.MAX_SAFE_INTEGER
    return Math.floor((remaining - described.input.upperBound) / (described.boundOptions.choices ?? 1))
  })
  const maxOutputTokens = Math.min(...affordable)
  if (maxOutputTokens < Math.max(1, described.minOutputTokens)) return undefined
  if (maxOutputTokens >= (denied.maxOutputTokens ?? Number.MAX_SAFE_INTEGER)) return undefined
  return planWith(described, maxOutputTokens, prices)
}

function planWith(described: CallTerms, maxOutputTokens: number | undefined, prices: Guard["prices"]): CallPlan {
  const { nanoUsd, tokens, maxPrice } = prices.upperBound(described.priceKey, {
    maxOutputTokens,
    ...boundOptions(described),
  })
  const bound = { nanoUsd: Math.max(nanoUsd, described.rejectedNanoUsd ?? 0), tokens }
  return { maxOutputTokens, bound: maxPrice === undefined ? bound : { ...bound, maxPrice } }
}

/** The bound must hold at any time from now on, because the duration of the answer is unknown. */
function boundOptions({ boundOptions, input }: CallTerms) {
  return { inputTokens: input.upperBound, at: Date.now(), ...boundOptions }
}

/** What a planned call reserves, and the prices of what it may report. */
export function reservedCost(described: CallTerms, { bound }: CallPlan, { prices }: Guard): ReservedCost {
  const { priceKey, boundOptions: options } = described
  if (described.fixedBound !== undefined) return reservedBatch(described.fixedBound)
  return {
    nanoUsd: bound.nanoUsd,
    tokens: bound.tokens,
    inputTokens: described.input.upperBound,
    boundOf: (outputTokens) => {
      const limits = { ...boundOptions(described), choices: 1, maxOutputTokens: outputTokens }
      return Math.min(bound.nanoUsd, prices.upperBound(priceKey, limits).nanoUsd)
    },
    costOf: (reported, serviceTier, modelUsed) =>
      dearerCharge({ prices, priceKey, modelUsed, serviceTier: tierOf(reported, serviceTier, options) }, (key, tier) =>
        chargeOf(prices, key, reported, {
          serviceTier: tier,
          region: reported.usage.region ?? options.region,
          byok: reported.cost?.isByok,
        }),
      ),
  }
}

/** What a batch reserves. The answer to its start reports only that nothing has run. */
function reservedBatch({ nanoUsd, tokens }: NonNullable<CallTerms["fixedBound"]>): ReservedCost {
  return {
    nanoUsd,
    tokens,
    inputTokens: tokens,
    boundOf: () => nanoUsd,
    costOf: () => ({ costNanoUsd: 0, tokens: 0, costSource: "none", tableCostNanoUsd: undefined }),
  }
}

/** The tier that the answer names, else the one that the call states. */
function tierOf({ usage }: ReportedUsage, reported: string | undefined, stated: { serviceTier?: string | undefined }) {
  return reported ?? usage.serviceTier ?? stated.serviceTier
}

/** The cost of a reported usage; undefined if it has no price. */
export function chargeOf(
  prices: Guard["prices"],
  priceKey: string,
  { usage, cost: reported }: ReportedUsage,
  options: { serviceTier?: string | undefined; region?: string | undefined; byok?: boolean | undefined },
): AttemptCost | undefined {
  try {
    const { nanoUsd, tokens, basis, differenceNanoUsd } = prices.costOf(priceKey, usage, { ...options, reported })
    const tableCostNanoUsd = differenceNanoUsd === undefined ? undefined : nanoUsd - differenceNanoUsd
    return { costNanoUsd: nanoUsd, tokens, costSource: basis, tableCostNanoUsd }
  } catch {
    return undefined
  }
}
