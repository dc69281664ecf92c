import type { NanoUsd, P2Error } from "@p2/core"
import type { Bound } from "@p2/pricing"
import { type Remaining, requestBudgetExceeded } from "../budget/reserve-call"
import { ContextExceededError } from "../errors"
import type { CountedInput, Tariff } from "../providers/tariff"
import { countPrompt, type Prompt } from "./prompt"

/** Output tokens that are requested without `maxTokens`, if the model and the budgets allow. */
const DEFAULT_MAX_TOKENS = 4_096

/** Without `maxTokens`, a call that can afford fewer output tokens is denied. */
const MIN_OUTPUT_TOKENS = 64

/** What a call may request, and the most that it can cost; or why it is denied before anything is reserved. */
export type CallPlan =
  | {
      status: "planned"
      input: CountedInput
      maxTokens: number
      upperBoundNanoUsd: NanoUsd
      /** The highest prices that OpenRouter may charge. */
      maxPrice: Bound["maxPrice"]
      /** The provider returns an answer of this length as a stream only. */
      mustStream: boolean
    }
  | { status: "denied"; error: P2Error }

/** A plan that may be sent. */
export type PlannedCall = Extract<CallPlan, { status: "planned" }>

export interface PlanOptions {
  /** Output tokens to request where the request has no `maxTokens`. */
  maxTokens?: number | undefined
  /** What remains of `maxBudget`; undefined: no limit. */
  remainingNanoUsd: NanoUsd | undefined
}

/**
 * Counts the input, chooses the output limit, and computes the upper bound.
 * @throws P2Error (usage) when the cost has no upper bound.
 */
export function planCall(prompt: Prompt, options: PlanOptions): CallPlan {
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
    return { status: "denied", error: new ContextExceededError({ model, ...tokens, contextWindow, maxInputTokens }) }
  }
  const wanted = request.maxTokens ?? options.maxTokens ?? DEFAULT_MAX_TOKENS
  let maxTokens = Math.min(wanted, outputWindow, maxOutputTokens ?? wanted)
  let bound = route.upperBound(input, maxTokens)
  if (remainingNanoUsd !== undefined && bound.nanoUsd > remainingNanoUsd) {
    const isFixed = request.maxTokens !== undefined
    const affordable = isFixed ? 0 : affordableTokens(route, input, { nanoUsd: remainingNanoUsd })
    if (affordable < minTokens) {
      const requested = isFixed ? bound.nanoUsd : route.upperBound(input, minTokens).nanoUsd
      return { status: "denied", error: requestBudgetExceeded(request, remainingNanoUsd, requested) }
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

/** The most output tokens that fit into what remains. */
function affordableTokens(tariff: Tariff, input: CountedInput, { nanoUsd, tokens }: Remaining): number {
  return Math.min(
    nanoUsd === undefined ? Number.POSITIVE_INFINITY : tariff.affordableTokens(input, Math.max(0, nanoUsd)),
    tokens === undefined ? Number.POSITIVE_INFINITY : tokens - input.upperBound,
  )
}

/** Output tokens below `maxTokens` that fit into what remains in the scopes; undefined when too few or no fewer fit. */
export function narrowerMaxTokens(prompt: Prompt, maxTokens: number, remaining: Remaining): number | undefined {
  const affordable = affordableTokens(prompt.route, countPrompt(prompt), remaining)
  return affordable >= MIN_OUTPUT_TOKENS && affordable < maxTokens ? affordable : undefined
}

/** What the next call would probably cost, and the most that it can cost. */
export interface CallEstimate {
  inputTokens: number
  maxTokens: number
  /** The input as counted and half of `maxTokens`, because answers seldom use all of it. */
  estimatedNanoUsd: NanoUsd
  upperBoundNanoUsd: NanoUsd
  /** The most input and output tokens, for limits in tokens. */
  upperBoundTokens: number
  /** Why the call would be denied before any scope is asked. */
  denial: P2Error | undefined
}

/** Plans the next call as `generate()` would, with what remains in the scopes, and reserves nothing. */
export function estimateCall(prompt: Prompt, remaining: Remaining = {}): CallEstimate {
  const { request, route } = prompt
  const remainingNanoUsd = request.maxBudgetNanoUsd
  let plan = planCall(prompt, { remainingNanoUsd })
  if (plan.status === "planned" && request.maxTokens === undefined) {
    const maxTokens = narrowerMaxTokens(prompt, plan.maxTokens, remaining)
    if (maxTokens !== undefined) plan = planCall(prompt, { maxTokens, remainingNanoUsd })
  }
  // A denied call is still described: as it would be without `maxBudget`.
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
