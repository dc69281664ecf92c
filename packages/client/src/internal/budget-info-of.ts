import type { LimitStatus } from "@p2/budget"
import { type NanoUsd, type Request, toUsdNumber } from "@p2/core"
import type { BudgetInfo, ScopeInfo } from "../budget-info"
import type { Estimate, Left } from "./estimate"

/** Compares what the next call would take with every limit. */
export function budgetInfoOf(
  request: Request<unknown>,
  estimate: Estimate,
  limits: readonly LimitStatus[],
): BudgetInfo {
  const { boundNanoUsd, likelyNanoUsd } = estimate
  const max = request.maxBudgetNanoUsd ?? null
  const remaining = max === null ? null : Math.max(0, max - boundNanoUsd)
  const dollars = (nanoUsd: NanoUsd | null) => (nanoUsd === null ? null : toUsdNumber(nanoUsd))
  const scopes = limits.map((limit) => scopeInfo(limit, estimate))
  return {
    maxBudget: dollars(max),
    maxBudgetNanoUsd: max,
    estimatedCost: toUsdNumber(likelyNanoUsd),
    estimatedCostNanoUsd: likelyNanoUsd,
    upperBoundCost: toUsdNumber(boundNanoUsd),
    upperBoundCostNanoUsd: boundNanoUsd,
    remainingBudget: dollars(remaining),
    remainingBudgetNanoUsd: remaining,
    budgetExceeded: estimate.refusal !== undefined || scopes.some((scope) => scope.exceeded),
    inputTokens: estimate.inputTokens,
    maxTokens: estimate.maxTokens,
    scopes,
  }
}

function scopeInfo(status: LimitStatus, estimate: Estimate): ScopeInfo {
  const { scope, window, unit, limit, spent, reserved, resetsAt } = status
  const remaining = status.remaining === null ? null : Math.max(0, status.remaining)
  return {
    scope: typeof scope === "string" ? scope : "tag" in scope ? `tag:${scope.tag}` : "child",
    window,
    unit,
    limit,
    spent,
    reserved,
    remaining,
    resetsAt: resetsAt === null ? null : new Date(resetsAt),
    exceeded: remaining !== null && remaining < needOf(unit, estimate),
  }
}

function needOf(unit: string, estimate: Estimate): number {
  if (unit === "tokens") return estimate.tokens
  return unit === "requests" ? 1 : estimate.boundNanoUsd
}

/** The least that the scopes have left. */
export function leftIn(limits: readonly Pick<LimitStatus, "unit" | "remaining">[]): Left {
  const least = (unit: string) => {
    const left = limits.flatMap((limit) => (limit.unit === unit && limit.remaining !== null ? [limit.remaining] : []))
    return left.length === 0 ? undefined : Math.max(0, Math.min(...left))
  }
  return { nanoUsd: least("nanoUsd"), tokens: least("tokens") }
}
