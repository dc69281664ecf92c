import { BudgetExceededError, type LimitStatus } from "@p2/budget"
import { type NanoUsd, type Request, toUsdNumber } from "@p2/core"
import { ContextExceededError } from "../errors"
import { countTools, toolFields } from "../steps/compiled-tools"
import { extraContentBound, messagesFor } from "../steps/tool-messages"
import { sentMessages, structureOf } from "./chat-body"
import type { AttemptPlan, AttemptSettings, PlanInput } from "./generate-call"

/** Output tokens that a call without `maxTokens` requests, if the model and the budgets allow. */
const DEFAULT_MAX_TOKENS = 4_096

/** A call without `maxTokens` is denied if the budgets cover fewer output tokens. */
const MIN_OUTPUT_TOKENS = 64

/** The messages and the tools as sent, and their tokens with those of the schema. */
export function countInput(call: PlanInput, settings: AttemptSettings) {
  const { request, compiled, tools } = call
  const route = call.routes[settings.routeIndex]!
  const { stepMessages } = settings
  const turns = stepMessages.length === 0 ? call.messages : [...call.messages, ...stepMessages]
  const conversation = messagesFor(turns, route, call.routes)
  const messages = sentMessages({ request, compiled, messages: conversation }, settings, route)
  const extraBound = extraContentBound(messages)
  if (tools === undefined) {
    const { tokens, upperBound } = route.countInput(messages, structureOf(compiled, settings.mode))
    return { messages, toolFields: undefined, tokens, upperBound: upperBound + extraBound }
  }
  const offered = toolFields(tools, compiled, { mode: settings.mode, step: settings.step })
  // In the mode `tool`, the structure is one of the tools.
  const counted = route.countInput(messages, settings.mode === "tool" ? {} : structureOf(compiled, settings.mode))
  const added = countTools(route, offered)
  return {
    messages,
    toolFields: offered,
    tokens: counted.tokens + added.tokens,
    upperBound: counted.upperBound + added.upperBound + extraBound,
  }
}

/**
 * Counts the input, chooses the output limit, and computes the upper bound.
 * @param remainingNanoUsd the rest of `maxBudget`; undefined: no limit
 * @throws P2Error (usage) when the cost has no upper bound
 */
export function planAttempt(
  call: PlanInput,
  settings: AttemptSettings,
  remainingNanoUsd: NanoUsd | undefined,
): AttemptPlan {
  const { request } = call
  const route = call.routes[settings.routeIndex]!
  const input = countInput(call, settings)
  const { messages } = input
  const { contextWindow, maxInputTokens, maxOutputTokens } = route.limits
  const minTokens = Math.min(MIN_OUTPUT_TOKENS, request.maxTokens ?? MIN_OUTPUT_TOKENS)
  const requested = request.maxTokens ?? settings.maxTokens ?? DEFAULT_MAX_TOKENS
  const wanted = Math.min(requested, maxOutputTokens ?? requested)

  const planWith = (maxTokens: number) => {
    const bound = route.upperBound(messages, input.upperBound, maxTokens)
    return {
      status: "planned" as const,
      settings,
      route,
      messages,
      streamed: call.stream || maxTokens > (route.provider.maxUnstreamedTokens ?? maxTokens),
      inputTokens: input.tokens,
      inputUpperBound: input.upperBound,
      maxTokens,
      upperBoundNanoUsd: bound.nanoUsd,
      maxPrice: bound.maxPrice,
      toolFields: input.toolFields,
    }
  }

  const outputWindow = input.tokens <= (maxInputTokens ?? contextWindow) ? contextWindow - input.tokens : 0
  if (outputWindow < minTokens) {
    const tokens = { inputTokens: input.tokens, outputTokens: minTokens }
    const error = new ContextExceededError({ model: route.model, ...tokens, contextWindow, maxInputTokens })
    return { ...planWith(wanted), status: "denied", error }
  }
  const plan = planWith(Math.min(wanted, outputWindow))
  if (remainingNanoUsd === undefined || plan.upperBoundNanoUsd <= remainingNanoUsd) return plan

  const isFixed = request.maxTokens !== undefined
  const affordable = isFixed ? 0 : affordableTokens(plan, { nanoUsd: remainingNanoUsd })
  if (affordable >= minTokens) return planWith(Math.min(plan.maxTokens, affordable))
  const requestedNanoUsd = isFixed ? plan.upperBoundNanoUsd : planWith(minTokens).upperBoundNanoUsd
  return { ...plan, status: "denied", error: requestBudgetExceeded(request, remainingNanoUsd, requestedNanoUsd) }
}

/** The largest number of output tokens whose upper bound the amounts cover. */
function affordableTokens(
  { route, messages, inputUpperBound }: Pick<AttemptPlan, "route" | "messages" | "inputUpperBound">,
  { nanoUsd, tokens }: { nanoUsd?: NanoUsd | undefined; tokens?: number | undefined },
): number {
  return Math.min(
    nanoUsd === undefined
      ? Number.POSITIVE_INFINITY
      : route.affordableTokens(messages, inputUpperBound, Math.max(0, nanoUsd)),
    tokens === undefined ? Number.POSITIVE_INFINITY : tokens - inputUpperBound,
  )
}

/**
 * An output limit below that of the plan which the remaining amounts of the scopes cover. Undefined if they cover the plan,
 * or fewer than {@link MIN_OUTPUT_TOKENS}.
 */
export function narrowerMaxTokens(plan: AttemptPlan, limits: readonly LimitStatus[]): number | undefined {
  const nanoUsd = smallest(limits.map(({ remainingNanoUsd }) => remainingNanoUsd))
  const tokens = smallest(limits.map(({ unit, remaining }) => (unit === "tokens" ? remaining : null)))
  const affordable = affordableTokens(plan, { nanoUsd, tokens })
  return affordable >= MIN_OUTPUT_TOKENS && affordable < plan.maxTokens ? affordable : undefined
}

/** The smallest of the amounts that are limited, at least 0. */
function smallest(amounts: readonly (number | null)[]): number | undefined {
  const limited = amounts.filter((amount) => amount !== null)
  return limited.length === 0 ? undefined : Math.max(0, Math.min(...limited))
}

/** Plans the next call as `generate()` would, within the remaining amounts of the scopes. Reserves nothing. */
export function planWithinLimits(
  call: PlanInput,
  settings: AttemptSettings,
  limits: readonly LimitStatus[],
): AttemptPlan {
  const { maxBudgetNanoUsd, maxTokens } = call.request
  const plan = planAttempt(call, settings, maxBudgetNanoUsd)
  if (plan.status === "denied" || maxTokens !== undefined) return plan
  const narrower = narrowerMaxTokens(plan, limits)
  return narrower === undefined ? plan : planAttempt(call, { ...settings, maxTokens: narrower }, maxBudgetNanoUsd)
}

/** The denial by `maxBudget`. This process counts `maxBudget`; no store does. */
export function requestBudgetExceeded(
  request: Request<unknown>,
  remainingNanoUsd: NanoUsd,
  requestedNanoUsd: NanoUsd,
): BudgetExceededError {
  const limitNanoUsd = request.maxBudgetNanoUsd ?? 0
  const spentNanoUsd = limitNanoUsd - remainingNanoUsd
  return new BudgetExceededError([
    {
      scope: "request",
      window: "total",
      timeZone: null,
      unit: "usd",
      limit: toUsdNumber(limitNanoUsd),
      limitNanoUsd,
      granted: 0,
      grantedNanoUsd: 0,
      spent: toUsdNumber(spentNanoUsd),
      spentNanoUsd,
      reserved: 0,
      reservedNanoUsd: 0,
      remaining: toUsdNumber(remainingNanoUsd),
      remainingNanoUsd,
      requested: toUsdNumber(requestedNanoUsd),
      requestedNanoUsd,
      startsAt: null,
      resetsAt: null,
      retryAfterMs: null,
    },
  ])
}
