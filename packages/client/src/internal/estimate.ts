import type { NanoUsd, P2Error } from "@p2/core"
import { type Ask, messagesToSend, structureOf } from "./chat-body"
import { planAttempt } from "./plan-attempt"

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

/** Plans the next call as it would be planned, without doing anything. */
export function estimateOf(ask: Ask): Estimate {
  const { request, route } = ask
  const within = planAttempt(ask, { leftNanoUsd: request.maxBudgetNanoUsd })
  const input = route.countInput({ messages: messagesToSend(ask), structure: structureOf(ask) })
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
