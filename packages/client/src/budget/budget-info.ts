import type { LimitStatus } from "@p2/budget"
import { type NanoUsd, type Request, toUsdNumber } from "@p2/core"
import type { CallEstimate } from "../generate/plan-call"

/** One limit that the request counts against. Amounts are in `unit`: nano-USD, tokens or requests. */
export interface ScopeInfo {
  scope: string
  window: string
  unit: string
  limit: number | null
  spent: number
  reserved: number
  remaining: number | null
  resetsAt: Date | null
  /** Whether this limit would deny the request now. */
  exceeded: boolean
}

/** What the next call would cost, and what it may cost. Dollars, with exact nano-USD beside each. */
export interface BudgetInfo {
  /** `maxBudget` of the request, for each call of `generate()`; null when it has none. */
  maxBudget: number | null
  maxBudgetNanoUsd: NanoUsd | null
  /** The probable cost of one attempt: the input as counted, and half of `maxTokens` as output. */
  estimatedCost: number
  estimatedCostNanoUsd: NanoUsd
  /** The most that one attempt can cost. It decides. */
  upperBoundCost: number
  upperBoundCostNanoUsd: NanoUsd
  /** `maxBudget − upperBoundCost`, at least 0; null without `maxBudget`. */
  remainingBudget: number | null
  remainingBudgetNanoUsd: NanoUsd | null
  /** The call would be denied: by `maxBudget`, the context window, or a scope. */
  budgetExceeded: boolean
  /** Input tokens as they would be sent. */
  inputTokens: number
  /** Output tokens that would be requested. */
  maxTokens: number
  /** Every limit that the request counts against. */
  scopes: ScopeInfo[]
}

/** Compares the next call with every limit. */
export function budgetInfoOf(
  request: Request<unknown>,
  estimate: CallEstimate,
  limits: readonly LimitStatus[],
): BudgetInfo {
  const { upperBoundNanoUsd, estimatedNanoUsd } = estimate
  const max = request.maxBudgetNanoUsd ?? null
  const remaining = max === null ? null : Math.max(0, max - upperBoundNanoUsd)
  const dollars = (nanoUsd: NanoUsd | null) => (nanoUsd === null ? null : toUsdNumber(nanoUsd))
  const scopes = limits.map((limit) => scopeInfo(limit, estimate))
  return {
    maxBudget: dollars(max),
    maxBudgetNanoUsd: max,
    estimatedCost: toUsdNumber(estimatedNanoUsd),
    estimatedCostNanoUsd: estimatedNanoUsd,
    upperBoundCost: toUsdNumber(upperBoundNanoUsd),
    upperBoundCostNanoUsd: upperBoundNanoUsd,
    remainingBudget: dollars(remaining),
    remainingBudgetNanoUsd: remaining,
    budgetExceeded: estimate.denial !== undefined || scopes.some((scope) => scope.exceeded),
    inputTokens: estimate.inputTokens,
    maxTokens: estimate.maxTokens,
    scopes,
  }
}

function scopeInfo(status: LimitStatus, estimate: CallEstimate): ScopeInfo {
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
    exceeded: remaining !== null && remaining < requestedIn(unit, estimate),
  }
}

function requestedIn(unit: string, estimate: CallEstimate): number {
  if (unit === "tokens") return estimate.upperBoundTokens
  return unit === "requests" ? 1 : estimate.upperBoundNanoUsd
}
