import type { NanoUsd, P2Error } from "@p2/core"
import { type Ask, inputOf } from "./chat-body"
import { FLOOR_MAX_TOKENS, planAttempt } from "./plan-attempt"
import type { CountedInput, Route } from "./route"

/** What the next call would probably cost, and at most. */
export interface Estimate {
  inputTokens: number
  maxTokens: number
  /** The input as counted and half of `maxTokens`: answers seldom use all they may. */
  likelyNanoUsd: NanoUsd
  boundNanoUsd: NanoUsd
  /** Input and output tokens at most, for limits in tokens. */
  tokens: number
  /** Why the call would be refused before any scope is asked. */
  refusal: P2Error | undefined
}

/** The least that any scope has left, where it counts money and where it counts tokens. */
export interface Left {
  nanoUsd?: NanoUsd | undefined
  tokens?: number | undefined
}

/** The most output tokens that fit into what is left. */
export function tokensWithin({ nanoUsd, tokens }: Left, route: Route, input: CountedInput): number {
  return Math.min(
    nanoUsd === undefined ? Number.MAX_VALUE : route.affordableTokens(input, nanoUsd),
    tokens === undefined ? Number.MAX_VALUE : tokens - input.upperBound,
  )
}

/** Plans the next call as it would be planned, without doing anything. */
export function estimateOf(ask: Ask, left: Left = {}): Estimate {
  const { request, route } = ask
  const input = inputOf(ask)
  let within = planAttempt(ask, { leftNanoUsd: request.maxBudgetNanoUsd })
  // Where nobody said how long the answer may be, a call asks for what the scopes have left.
  if (within.ok && request.maxTokens === undefined) {
    const fits = tokensWithin(left, route, input)
    if (fits >= FLOOR_MAX_TOKENS && fits < within.maxTokens)
      within = planAttempt(ask, { maxTokens: fits, leftNanoUsd: request.maxBudgetNanoUsd })
  }
  // A call that does not fit is still described: by what it would ask for if money were no object.
  const free = within.ok ? within : planAttempt(ask, { leftNanoUsd: undefined })
  const maxTokens = free.ok ? free.maxTokens : (request.maxTokens ?? 0)
  return {
    inputTokens: input.tokens,
    maxTokens,
    likelyNanoUsd: route.likelyNanoUsd(input.tokens, Math.ceil(maxTokens / 2)),
    boundNanoUsd: free.ok ? free.boundNanoUsd : route.bound(input, maxTokens).nanoUsd,
    tokens: input.upperBound + maxTokens,
    refusal: within.ok ? undefined : within.error,
  }
}
