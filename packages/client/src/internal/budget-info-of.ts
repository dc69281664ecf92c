import { type NanoUsd, type Request, toUsdNumber } from "@p2/core"
import type { BudgetInfo, ScopeInfo } from "../budget-info"
import type { Estimate, Left } from "./estimate"

/** A scope as the budget reports it, before it is asked whether it would refuse. */
export type ScopeState = Omit<ScopeInfo, "exceeded">

/** Compares what the next call would take with every limit. */
export function budgetInfoOf(request: Request<unknown>, estimate: Estimate, states: readonly ScopeState[]): BudgetInfo {
  const { boundNanoUsd, likelyNanoUsd } = estimate
  const max = request.maxBudgetNanoUsd ?? null
  const remaining = max === null ? null : Math.max(0, max - boundNanoUsd)
  const dollars = (nanoUsd: NanoUsd | null) => (nanoUsd === null ? null : toUsdNumber(nanoUsd))
  const scopes = states.map((state) => ({
    ...state,
    exceeded: state.remaining !== null && state.remaining < needOf(state.unit, estimate),
  }))
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

/** The least that the scopes have left. */
export function leftIn(states: readonly Pick<ScopeState, "unit" | "remaining">[]): Left {
  const least = (unit: string) => {
    const left = states.flatMap((state) => (state.unit === unit && state.remaining !== null ? [state.remaining] : []))
    return left.length === 0 ? undefined : Math.max(0, Math.min(...left))
  }
  return { nanoUsd: least("nanoUsd"), tokens: least("tokens") }
}

function needOf(unit: string, estimate: Estimate): number {
  if (unit === "tokens") return estimate.tokens
  return unit === "requests" ? 1 : estimate.boundNanoUsd
}
