import type { NanoUsd, P2Error } from "@p2/core"
import type { Bound } from "@p2/pricing"
import { type Remaining, requestBudgetExceeded, type Unreserved } from "../budget/reserve-call"
import { ContextExceededError } from "../errors"
import type { CountedInput, Tariff } from "../providers/tariff"
import { countPrompt, type Prompt } from "./prompt"

/** Output tokens that a call without `maxTokens` requests, if the model and the budgets allow. */
const DEFAULT_MAX_TOKENS = 4_096

/** A call without `maxTokens` is denied if the budgets cover fewer output tokens. */
const MIN_OUTPUT_TOKENS = 64

/** The output limit and the upper bound of a call. */
export interface PlannedCall {
  status: "planned"
  input: CountedInput
  maxTokens: number
  upperBoundNanoUsd: NanoUsd
  /** The highest prices that OpenRouter may charge. */
  maxPrice: Bound["maxPrice"]
  /** The provider returns an answer of this length as a stream only. */
  mustStream: boolean
}

/** A planned call, or its denial by `maxBudget` or the context window. */
export type CallPlan = PlannedCall | Extract<Unreserved, { status: "denied" }>

/**
 * Counts the input, chooses the output limit, and computes the upper bound.
 * @throws P2Error (usage) when the cost has no upper bound.
 */
export function planCall(
  prompt: Prompt,
  options: {
    /** Output tokens to request if the request has no `maxTokens`. */
    maxTokens?: number | undefined
    /** The rest of `maxBudget`; undefined: no limit. */
    remainingNanoUsd: NanoUsd | undefined
  },
): CallPlan {
  const { request, route } = prompt
  const { remainingNanoUsd } = options
  const input = countPrompt(prompt)
  const minTokens = Math.min(MIN_OUTPUT_TOKENS, request.maxTokens ?? MIN_OUTPUT_TOKENS)
  const { contextWindow, maxInputTokens, maxOutputTokens } = route.limits
  const fitsInput = input.tokens <= (maxInputTokens ?? contextWindow)
  const outputWindow = fitsInput ? contextWindow - input.tokens : 0
  if (outputWindow < minTokens) {
    const { model } = route
    const tokens = { inputTokens: input.tokens, outputTokens: minTokens }
    return denied(new ContextExceededError({ model, ...tokens, contextWindow, maxInputTokens }))
  }
  const wanted = request.maxTokens ?? options.maxTokens ?? DEFAULT_MAX_TOKENS
  let maxTokens = Math.min(wanted, outputWindow, maxOutputTokens ?? wanted)
  let bound = route.upperBound(input, maxTokens)
  if (remainingNanoUsd !== undefined && bound.nanoUsd > remainingNanoUsd) {
    const isFixed = request.maxTokens !== undefined
    const affordable = isFixed ? 0 : maxTokensWithin(route, input, { nanoUsd: remainingNanoUsd })
    if (affordable < minTokens) {
      const requested = isFixed ? bound.nanoUsd : route.upperBound(input, minTokens).nanoUsd
      return denied(requestBudgetExceeded(request, remainingNanoUsd, requested))
    }
    maxTokens = Math.min(maxTokens, affordable)
    bound = route.upperBound(input, maxTokens)
  }
  return {
    status: "planned",
    input,
    maxTokens,
    upperBoundNanoUsd: bound.nanoUsd,
    maxPrice: bound.maxPrice,
    mustStream: maxTokens > (route.provider.maxUnstreamedTokens ?? maxTokens),
  }
}

function denied(error: P2Error): CallPlan {
  return { status: "denied", error, remaining: undefined }
}

/** The largest number of output tokens whose upper bound the remaining amounts cover. */
function maxTokensWithin(tariff: Tariff, input: CountedInput, { nanoUsd, tokens }: Remaining): number {
  return Math.min(
    nanoUsd === undefined ? Number.POSITIVE_INFINITY : tariff.affordableTokens(input, Math.max(0, nanoUsd)),
    tokens === undefined ? Number.POSITIVE_INFINITY : tokens - input.upperBound,
  )
}

/**
 * An output limit below `maxTokens` that the remaining amounts of the scopes cover. Undefined if they cover `maxTokens`, or
 * fewer than {@link MIN_OUTPUT_TOKENS}.
 */
export function narrowerMaxTokens(prompt: Prompt, maxTokens: number, remaining: Remaining): number | undefined {
  const affordable = maxTokensWithin(prompt.route, countPrompt(prompt), remaining)
  return affordable >= MIN_OUTPUT_TOKENS && affordable < maxTokens ? affordable : undefined
}

/** The estimate and the upper bound of the next call. */
export interface CallEstimate {
  inputTokens: number
  maxTokens: number
  /** The input as counted and half of `maxTokens`, because answers seldom use all of it. */
  estimatedNanoUsd: NanoUsd
  upperBoundNanoUsd: NanoUsd
  /** Upper bound of the input and output tokens, for limits in tokens. */
  upperBoundTokens: number
  /** The denial by `maxBudget` or the context window; undefined: neither denies the call. */
  denial: P2Error | undefined
}

/** Plans the next call as `generate()` would, within the remaining amounts of the scopes. Reserves nothing. */
export function estimateCall(prompt: Prompt, remaining: Remaining = {}): CallEstimate {
  const { request, route } = prompt
  const remainingNanoUsd = request.maxBudgetNanoUsd
  let plan = planCall(prompt, { remainingNanoUsd })
  if (plan.status === "planned" && request.maxTokens === undefined) {
    const maxTokens = narrowerMaxTokens(prompt, plan.maxTokens, remaining)
    if (maxTokens !== undefined) plan = planCall(prompt, { maxTokens, remainingNanoUsd })
  }
  // The estimate of a denied call is that of the same call without `maxBudget`.
  const unlimited = plan.status === "planned" ? plan : planCall(prompt, { remainingNanoUsd: undefined })
  const input = countPrompt(prompt)
  const maxTokens = unlimited.status === "planned" ? unlimited.maxTokens : (request.maxTokens ?? 0)
  return {
    inputTokens: input.tokens,
    maxTokens,
    estimatedNanoUsd: route.estimateNanoUsd(input.tokens, Math.ceil(maxTokens / 2)),
    upperBoundNanoUsd:
      unlimited.status === "planned" ? unlimited.upperBoundNanoUsd : route.upperBound(input, maxTokens).nanoUsd,
    upperBoundTokens: input.upperBound + maxTokens,
    denial: plan.status === "denied" ? plan.error : undefined,
  }
}
