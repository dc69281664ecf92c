import type { LimitStatus, WaitedLimit } from "@p2/budget"
import { type NanoUsd, type Request, toUsdNumber } from "@p2/core"
import type { AttemptPlan } from "../generate/generate-call"
import type { AttemptLimit } from "../receipt"

/**
 * One limit that the request counts against. The amounts of a limit in dollars (`unit: "usd"`) are dollars, each with the exact
 * nano-USD. Those of other limits are counts, and the `NanoUsd` fields are null.
 */
export interface ScopeInfo {
  scope: string
  window: string
  unit: "usd" | "tokens" | "requests"
  /** Null: counted without a limit. */
  limit: number | null
  limitNanoUsd: NanoUsd | null
  /** Top-ups, and what was carried over from the window before. */
  granted: number
  grantedNanoUsd: NanoUsd | null
  spent: number
  spentNanoUsd: NanoUsd | null
  reserved: number
  reservedNanoUsd: NanoUsd | null
  /** limit + granted − spent − reserved: negative after overruns; null without a limit. */
  remaining: number | null
  remainingNanoUsd: NanoUsd | null
  startsAt: Date | null
  resetsAt: Date | null
  /** Whether this limit would deny the request now. */
  exceeded: boolean
}

/** The estimate and the upper bound of the next call. Amounts are dollars, each with the exact nano-USD. */
export interface BudgetInfo {
  /** `maxBudget` of the request, for each call of `generate()`; null without one. */
  maxBudget: number | null
  maxBudgetNanoUsd: NanoUsd | null
  /** The probable cost of one attempt: the input as counted, and half of `maxTokens` as output. */
  estimatedCost: number
  estimatedCostNanoUsd: NanoUsd
  /** Upper bound of one attempt. It decides whether the call is denied. */
  upperBoundCost: number
  upperBoundCostNanoUsd: NanoUsd
  /** `maxBudget − upperBoundCost`, negative if the call exceeds it; null without `maxBudget`. */
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

/** The probable cost: the input as counted, and half of `maxTokens`, because answers rarely use all of it. */
export function estimateOf({ route, inputTokens, maxTokens }: AttemptPlan): NanoUsd {
  return route.estimateNanoUsd(inputTokens, Math.ceil(maxTokens / 2))
}

/** Compares the next call with every limit. */
export function budgetInfoOf(request: Request<unknown>, plan: AttemptPlan, limits: readonly LimitStatus[]): BudgetInfo {
  const { upperBoundNanoUsd, inputTokens, maxTokens } = plan
  const estimatedNanoUsd = estimateOf(plan)
  const max = request.maxBudgetNanoUsd ?? null
  const remaining = max === null ? null : max - upperBoundNanoUsd
  const dollars = (nanoUsd: NanoUsd | null) => (nanoUsd === null ? null : toUsdNumber(nanoUsd))
  const scopes = limits.map((limit) => scopeInfo(limit, plan))
  return {
    maxBudget: dollars(max),
    maxBudgetNanoUsd: max,
    estimatedCost: toUsdNumber(estimatedNanoUsd),
    estimatedCostNanoUsd: estimatedNanoUsd,
    upperBoundCost: toUsdNumber(upperBoundNanoUsd),
    upperBoundCostNanoUsd: upperBoundNanoUsd,
    remainingBudget: dollars(remaining),
    remainingBudgetNanoUsd: remaining,
    budgetExceeded: plan.status === "denied" || scopes.some((scope) => scope.exceeded),
    inputTokens,
    maxTokens,
    scopes,
  }
}

/** The name of a limit, for receipts. */
export function attemptLimit({ scope, window, unit }: WaitedLimit): AttemptLimit {
  return { scope: scopeName(scope), window, unit }
}

function scopeName(scope: LimitStatus["scope"]): string {
  if (typeof scope === "string") return scope
  return "tag" in scope ? `tag:${scope.tag}` : "child"
}

function scopeInfo(status: LimitStatus, plan: AttemptPlan): ScopeInfo {
  const { scope, startsAt, resetsAt } = status
  const { remaining, remainingNanoUsd } = status
  const available = status.unit === "usd" ? remainingNanoUsd : remaining
  return {
    scope: scopeName(scope),
    window: status.window,
    unit: status.unit,
    limit: status.limit,
    limitNanoUsd: status.limitNanoUsd,
    granted: status.granted,
    grantedNanoUsd: status.grantedNanoUsd,
    spent: status.spent,
    spentNanoUsd: status.spentNanoUsd,
    reserved: status.reserved,
    reservedNanoUsd: status.reservedNanoUsd,
    remaining,
    remainingNanoUsd,
    startsAt: startsAt === null ? null : new Date(startsAt),
    resetsAt: resetsAt === null ? null : new Date(resetsAt),
    exceeded: available !== null && available < requestedIn(status.unit, plan),
  }
}

function requestedIn(unit: LimitStatus["unit"], plan: AttemptPlan): number {
  if (unit === "tokens") return plan.inputUpperBound + plan.maxTokens
  return unit === "requests" ? 1 : plan.upperBoundNanoUsd
}
