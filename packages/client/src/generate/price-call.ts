import type { CostSource, NanoUsd, Usage } from "@p2/core"
import type { Route } from "../providers/routes"
import type { CallCost } from "../providers/tariff"
import type { ReportedUsage } from "../transport/parse-usage"
import type { SentRequest } from "../transport/send"
import type { PlannedCall } from "./plan-call"

/** What a call is charged. */
export interface Charge {
  costNanoUsd: NanoUsd
  costSource: CostSource
  /** The cost by the price table, where the provider reported another one. */
  tableCostNanoUsd: NanoUsd | undefined
  /** As reported. */
  usage: Usage | undefined
  /** For limits in tokens. */
  tokens: number
}

/** Prices a call: by its usage, else nothing where nothing was generated, else the upper bound. */
export function priceCall(route: Route, plan: PlannedCall, sent: SentRequest): Charge {
  const { completion, billing } = sent
  const usage = completion.usage?.usage
  const tokens = usage === undefined ? 0 : usage.inputTokens + usage.outputTokens
  const cost = costOf(route, completion.usage, completion.serviceTier)
  if (cost !== undefined) {
    const { nanoUsd: costNanoUsd, source: costSource, tableNanoUsd: tableCostNanoUsd } = cost
    return { costNanoUsd, costSource, tableCostNanoUsd, usage, tokens }
  }
  if (billing !== "unknown") return { costNanoUsd: 0, costSource: "none", tableCostNanoUsd: undefined, usage, tokens }
  // A provider that ignored the limits in the request may have reported more than the upper bound.
  const least = costOf(route, completion.leastUsage, completion.serviceTier)?.nanoUsd ?? 0
  return {
    costNanoUsd: Math.max(plan.upperBoundNanoUsd, least),
    costSource: "bound",
    tableCostNanoUsd: undefined,
    usage,
    tokens: plan.input.upperBound + plan.maxTokens,
  }
}

/** Undefined when nothing was reported, or something that has no price. */
function costOf(
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
