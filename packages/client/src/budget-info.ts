import type { NanoUsd } from "@p2/core"

/** One limit that the request would count against. Amounts are in the scope's `unit`: nano-USD, tokens or requests. */
export interface ScopeInfo {
  scope: string
  window: string
  unit: string
  limit: number | null
  spent: number
  reserved: number
  remaining: number | null
  resetsAt: Date | null
  /** Whether this scope would refuse the request now. */
  exceeded: boolean
}

/** What a request would cost, against what it may. Dollars, with exact nano-USD beside each. */
export interface BudgetInfo {
  /** `maxBudget` of the request; null when it has none. */
  maxBudget: number | null
  maxBudgetNanoUsd: NanoUsd | null
  /** The likely cost of one attempt: the input as counted, and half of `maxTokens` as output. */
  estimatedCost: number
  estimatedCostNanoUsd: NanoUsd
  /** The most that one attempt can cost. It decides. */
  upperBoundCost: number
  upperBoundCostNanoUsd: NanoUsd
  /** `maxBudget − upperBoundCost`, never below 0; null without `maxBudget`. */
  remainingBudget: number | null
  remainingBudgetNanoUsd: NanoUsd | null
  /** `upperBoundCost > maxBudget`, or a scope that would refuse. */
  budgetExceeded: boolean
  /** Input tokens as they would be sent. */
  inputTokens: number
  /** Most output tokens that would be asked for. */
  maxTokens: number
  /** Every limit that the request counts against. */
  scopes: ScopeInfo[]
}
