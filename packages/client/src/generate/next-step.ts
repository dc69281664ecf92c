import { InvalidAnswerError, type Message, type P2Error } from "@p2/core"
import type { Remaining, Unreserved } from "../budget/reserve-call"
import { type AnswerTruncatedError, DeadlineExceededError, ProviderError } from "../errors"
import type { CallableRoute } from "../providers/routes"
import type { AnswerMode, AttemptReason, AttemptReceipt } from "../receipt"
import { rejectsMode } from "../transport/rejected-field"
import { firstMode, looserMode } from "./answer-modes"
import type { AnswerOutcome } from "./judge-answer"
import { narrowerMaxTokens, planCall } from "./plan-call"
import type { Prompt } from "./prompt"

/** The model, the mode and the reason of one attempt. Decided before the attempt, never changed by it. */
export interface AttemptStep {
  /** From 1. */
  attempt: number
  reason: AttemptReason
  /** Wait before the attempt. */
  delayMs: number
  routeIndex: number
  mode: AnswerMode
  /** Messages added to the conversation: the invalid answer and its issues. */
  repairMessages: readonly Message[]
  /** Output tokens to request if the request has no `maxTokens`; undefined: the default. */
  maxTokens: number | undefined
  /** A scope denied the previous attempt, and `maxTokens` was lowered to what the scope can afford. */
  narrowed: boolean
  /** Retries of this model so far. */
  retries: number
  /** Repairs of this request so far. */
  repairs: number
}

/** The result of an attempt, with its receipt. */
export type AttemptOutcome = { receipt: AttemptReceipt } & (AnswerOutcome | Unreserved)

/** The state that decides the next step. */
export interface StepContext {
  step: AttemptStep
  prompt: Prompt
  routes: readonly CallableRoute[]
  signal: AbortSignal | undefined
  /** The time until the total deadline, and the rest of `maxBudget` (undefined: no limit). */
  remaining: { ms: number; nanoUsd: number | undefined }
  /** In [0, 1). */
  random: () => number
}

export function firstStep(route: CallableRoute, structured: boolean): AttemptStep {
  return {
    attempt: 1,
    reason: "first",
    delayMs: 0,
    routeIndex: 0,
    mode: firstMode(route, structured),
    repairMessages: [],
    maxTokens: undefined,
    narrowed: false,
    retries: 0,
    repairs: 0,
  }
}

/** The step after an attempt without an answer. Undefined: the request has failed. */
export function nextStep(
  outcome: Exclude<AttemptOutcome, { status: "answered" }>,
  context: StepContext,
): AttemptStep | undefined {
  const { step } = context
  const change =
    outcome.status === "denied"
      ? afterDenial(outcome.remaining, outcome.receipt.maxTokens, context)
      : outcome.status === "failed"
        ? afterFailure(outcome.error, outcome.text, context)
        : // Without the store every further attempt would fail too.
          undefined
  return change && { ...step, delayMs: 0, ...change, attempt: step.attempt + 1 }
}

/** The fields of the next step that change. Undefined: no step follows. */
type StepChange = Partial<AttemptStep> | undefined

/** If `maxTokens` was not set, retries once with what the denying scope can afford. */
function afterDenial(remaining: Remaining | undefined, maxTokens: number, context: StepContext): StepChange {
  const { step, prompt } = context
  if (step.narrowed || prompt.request.maxTokens !== undefined || remaining === undefined) return fallback(context)
  const narrower = narrowerMaxTokens(prompt, maxTokens, remaining)
  return narrower === undefined ? fallback(context) : { maxTokens: narrower, narrowed: true }
}

function afterFailure(error: P2Error, text: string, context: StepContext): StepChange {
  const { step, prompt, signal } = context
  if (signal?.aborted || (error instanceof DeadlineExceededError && error.deadline === "total")) return undefined
  if (error instanceof ProviderError && rejectsMode(error, prompt.mode)) {
    const mode = looserMode(prompt.route, prompt.mode)
    if (mode !== undefined) return { reason: "mode", mode }
  }
  switch (error.code) {
    case "answer-refused":
    case "content-filtered":
      return undefined
    case "invalid-answer":
    case "answer-empty":
      return repair(error, text, context)
    case "answer-truncated":
      return longer(error as AnswerTruncatedError, context)
  }
  return error.retryable && step.retries < prompt.request.retries ? retry(error, context) : fallback(context)
}

/** Sends an invalid answer back with its issues. Repeats the request after an empty answer. */
function repair(error: P2Error, text: string, context: StepContext): StepChange {
  const { step, prompt } = context
  const invalid = error instanceof InvalidAnswerError ? error : undefined
  // A throwing refinement is a bug in the schema, so do not repair.
  if (invalid?.reason === "code") return undefined
  if (step.repairs >= prompt.request.repairs) return fallback(context)
  const repairMessages = invalid === undefined ? [] : messagesForRepair(text, invalid)
  return { reason: "repair", repairs: step.repairs + 1, repairMessages }
}

/** Requests a truncated answer again with four times the output tokens, unless the request sets `maxTokens`. */
function longer({ maxTokens }: AnswerTruncatedError, context: StepContext): StepChange {
  const { step, prompt, remaining } = context
  if (prompt.request.maxTokens !== undefined || step.repairs >= prompt.request.repairs) return fallback(context)
  const wanted = maxTokens * 4
  const plan = planCall(prompt, { maxTokens: wanted, remainingNanoUsd: remaining.nanoUsd })
  if (plan.status === "denied" || plan.maxTokens <= maxTokens) return fallback(context)
  return { reason: "longer", repairs: step.repairs + 1, maxTokens: wanted }
}

function retry(error: P2Error, context: StepContext): StepChange {
  const { step, remaining, random } = context
  const retries = step.retries + 1
  const delayMs = retryDelayMs(retries, (error as Partial<ProviderError>).retryAfterMs, random())
  // Skip retries that would start after the deadline.
  if (delayMs === undefined || delayMs >= remaining.ms) return fallback(context)
  return { reason: "retry", retries, delayMs }
}

function fallback({ step, routes, prompt }: StepContext): StepChange {
  const routeIndex = step.routeIndex + 1
  const route = routes[routeIndex]
  if (route === undefined) return undefined
  return {
    reason: "fallback",
    routeIndex,
    mode: firstMode(route, prompt.compiled !== undefined),
    repairMessages: [],
    maxTokens: undefined,
    narrowed: false,
    retries: 0,
  }
}

/** The longest `Retry-After` that the client waits for. */
const MAX_RETRY_AFTER_MS = 60_000
const FIRST_DELAY_MS = 500
const MAX_DELAY_MS = 8_000

/**
 * `Retry-After` plus up to a tenth, else 500 ms doubled by each retry up to 8 s, minus up to half: the jitter keeps
 * callers from retrying at the same moment. Undefined: `Retry-After` exceeds the maximum.
 */
function retryDelayMs(retry: number, retryAfterMs: number | undefined, random: number): number | undefined {
  if (retryAfterMs !== undefined)
    return retryAfterMs > MAX_RETRY_AFTER_MS ? undefined : Math.round(retryAfterMs * (1 + random / 10))
  return Math.round(Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (retry - 1)) * (1 - random / 2))
}

/** The longest invalid answer that a repair sends back, in characters. */
const MAX_REPAIR_ANSWER = 4_000
const MAX_REPAIR_ISSUES = 20
/** The longest issue, in characters. */
const MAX_REPAIR_ISSUE = 300

/** The invalid answer, and the paths and messages of its issues. */
function messagesForRepair(answer: string, error: InvalidAnswerError): Message[] {
  const issues = error.issues
    .slice(0, MAX_REPAIR_ISSUES)
    .map((issue) => `- ${pathText(issue.path)}: ${issue.message}`.slice(0, MAX_REPAIR_ISSUE))
  const problem =
    error.reason === "json" || issues.length === 0
      ? "It is not valid JSON."
      : `It does not match the schema:\n${issues.join("\n")}`
  return [
    { role: "assistant", content: shortened(answer) },
    { role: "user", content: `${problem}\nAnswer again with the complete corrected answer and nothing else.` },
  ]
}

function shortened(text: string): string {
  if (text.length <= MAX_REPAIR_ANSWER) return text
  // Some servers reject half of a surrogate pair.
  return `${text.slice(0, MAX_REPAIR_ANSWER).replace(/[\uD800-\uDBFF]$/, "")}…`
}

function pathText(path: readonly (string | number)[]): string {
  const keys = path.map((key) => (typeof key === "number" ? `[${key}]` : `.${key}`))
  return keys.join("").replace(/^\./, "") || "the answer"
}
