import type { NanoUsd, P2Error } from "@p2/core"
import type { Bound } from "@p2/pricing"
import { ContextExceededError } from "../client-errors"
import { type Ask, inputOf } from "./chat-body"
import type { Left } from "./estimate"
import { requestBudgetExceeded } from "./request-budget"
import type { CountedInput } from "./route"

/** Output tokens that are asked for when nobody says how many, if model and budget allow. */
export const DEFAULT_MAX_TOKENS = 4_096

/** Without `maxTokens`, a call that could not even afford this many output tokens is refused. */
export const FLOOR_MAX_TOKENS = 64

/** An attempt that may be sent: what it asks for, and what it costs at most. */
export interface Plan {
  ok: true
  input: CountedInput
  maxTokens: number
  boundNanoUsd: NanoUsd
  /** What OpenRouter is told not to exceed. */
  maxPrice: Bound["maxPrice"]
  /** The provider gives an answer that may be so long as a stream only. */
  mustStream: boolean
}

/** A limit said no: nothing is sent. */
export interface Refused {
  ok: false
  error: P2Error
  /** The least that the refusing scopes have left; undefined: none was asked. */
  left: Left | undefined
}

/** How much an attempt may ask for. */
export interface Means {
  /** Output tokens at most, beside the request's own `maxTokens`. */
  maxTokens?: number | undefined
  /** What is left of `maxBudget`; undefined: no limit. */
  leftNanoUsd: NanoUsd | undefined
}

/**
 * Counts the input, chooses the output limit and computes the upper bound.
 * Refuses when the context window or what is left of `maxBudget` does not allow it.
 */
export function planAttempt(ask: Ask, means: Means): Plan | Refused {
  const { request, route } = ask
  const input = inputOf(ask)
  const limits = route.limits
  const floor = Math.min(FLOOR_MAX_TOKENS, request.maxTokens ?? FLOOR_MAX_TOKENS)
  const fits = input.tokens <= (limits.maxInputTokens ?? limits.contextWindow)
  const room = fits ? limits.contextWindow - input.tokens : 0
  if (room < floor)
    return {
      ok: false,
      error: new ContextExceededError({
        model: route.model,
        inputTokens: input.tokens,
        outputTokens: floor,
        contextWindow: limits.contextWindow,
      }),
      left: undefined,
    }
  const wanted = request.maxTokens ?? means.maxTokens ?? DEFAULT_MAX_TOKENS
  let maxTokens = Math.min(wanted, room, limits.maxOutputTokens ?? wanted)
  const { leftNanoUsd } = means
  let bound = route.bound(input, maxTokens)
  if (leftNanoUsd !== undefined && bound.nanoUsd > leftNanoUsd) {
    const affordable =
      request.maxTokens === undefined ? Math.min(maxTokens, route.affordableTokens(input, Math.max(0, leftNanoUsd))) : 0
    if (affordable < floor) {
      const requested = request.maxTokens === undefined ? route.bound(input, floor).nanoUsd : bound.nanoUsd
      return { ok: false, error: requestBudgetExceeded(request, leftNanoUsd, requested), left: undefined }
    }
    maxTokens = affordable
    bound = route.bound(input, maxTokens)
  }
  return {
    ok: true,
    input,
    maxTokens,
    boundNanoUsd: bound.nanoUsd,
    maxPrice: bound.maxPrice,
    mustStream: maxTokens > (route.provider.maxUnstreamedTokens ?? maxTokens),
  }
}
