import type { Usage } from "@p2/core"
import type { ReportedUsage } from "@p2/pricing/usage"
import type { Route } from "../providers/routes"
import type { CallCost } from "../providers/tariff"
import type { SendResult } from "../transport/send"
import type { PlannedCall } from "./plan-call"

/** The charge of a call. */
export interface Charge extends CallCost {
  /** The usage as reported. */
  usage: Usage | undefined
  /** For limits in tokens. */
  tokens: number
}

/**
 * Charges the cost of the reported usage. Without usage, charges nothing if the provider bills nothing, else the upper
 * bound.
 */
export function priceCall(route: Route, plan: PlannedCall, { completion, billing }: SendResult): Charge {
  const reading = completion.read()
  const usage = reading.usage?.usage
  const tokens = usage === undefined ? 0 : usage.inputTokens + usage.outputTokens
  const cost = priceReported(route, reading.usage, reading.serviceTier)
  if (cost !== undefined) return { ...cost, usage, tokens }
  if (billing !== "unknown") return { costNanoUsd: 0, costSource: "none", tableCostNanoUsd: undefined, usage, tokens }
  // A provider that ignored the limits in the request may have reported more than the upper bound.
  const reportedNanoUsd = priceReported(route, reading.usageLowerBound, reading.serviceTier)?.costNanoUsd ?? 0
  return {
    costNanoUsd: Math.max(plan.upperBoundNanoUsd, reportedNanoUsd),
    costSource: "bound",
    tableCostNanoUsd: undefined,
    usage,
    tokens: plan.input.upperBound + plan.maxTokens,
  }
}

/** The cost of a reported usage. Undefined if there is none, or it has no price. */
function priceReported(
  route: Route,
  reported: ReportedUsage | undefined,
  serviceTier: string | undefined,
): CallCost | undefined {
  if (reported === undefined) return undefined
  try {
    return route.costOf(reported, serviceTier)
  } catch {
    return undefined
  }
}
