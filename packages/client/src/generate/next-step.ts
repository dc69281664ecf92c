import { InvalidAnswerError, type Message, type P2Error } from "@p2/core"
import type { Remaining } from "../budget/reserve-call"
import { type AnswerTruncatedError, DeadlineExceededError, ProviderError } from "../errors"
import type { OpenRoute } from "../providers/routes"
import type { AnswerMode, AttemptReason } from "../receipt"
import { rejectsMode } from "../transport/provider-failure"
import { firstMode, looserMode } from "./answer-modes"
import { narrowerMaxTokens, planCall } from "./plan-call"
import type { Prompt } from "./prompt"

/** What one attempt does: which model, how, and why. Decided before the attempt, never changed by it. */
export interface AttemptStep {
  /** From 1. */
  attempt: number
  reason: AttemptReason
  /** Wait before the attempt. */
  delayMs: number
  routeIndex: number
  mode: AnswerMode
  /** The invalid answer and what was wrong with it, added to the conversation. */
  repairMessages: readonly Message[]
  /** Output tokens to request where the request has no `maxTokens`; undefined: the default. */
  maxTokens: number | undefined
  /** `maxTokens` was lowered already to what a scope could afford. */
  narrowed: boolean
  /** Retries of this model so far. */
  retries: number
  /** Repairs of this request so far. */
  repairs: number
}

/** How an attempt ended. */
export type AttemptOutcome =
  | { status: "answered"; answer: unknown; text: string }
  /** A limit did not allow it. `remaining`: what the denying scopes have; undefined when no scope was asked. */
  | { status: "denied"; error: P2Error; remaining: Remaining | undefined }
  /** The store failed, or the call ended before anything was reserved. */
  | { status: "not-reserved"; error: P2Error }
  /** It was sent, or tried to be. `text` is the answer, if any. */
  | { status: "failed"; error: P2Error; text: string }

/** The state in which the next step is decided. */
export interface StepContext {
  step: AttemptStep
  prompt: Prompt
  routes: readonly OpenRoute[]
  /** Output tokens that the attempt requested. */
  maxTokens: number
  signal: AbortSignal | undefined
  /** Until the total deadline. */
  remainingMs: number
  /** Of `maxBudget`; undefined: no limit. */
  remainingNanoUsd: number | undefined
  /** In [0, 1). */
  random: () => number
}

export function firstStep(route: OpenRoute, structured: boolean): AttemptStep {
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

/** The attempt to make after one without an answer; undefined: none, the request has failed. */
export function nextStep(
  outcome: Exclude<AttemptOutcome, { status: "answered" }>,
  context: StepContext,
): AttemptStep | undefined {
  const { step } = context
  const change =
    outcome.status === "denied"
      ? afterDenial(outcome.remaining, context)
      : outcome.status === "failed"
        ? afterFailure(outcome.error, outcome.text, context)
        : // Every attempt needs the store.
          undefined
  return change && { ...step, delayMs: 0, ...change, attempt: step.attempt + 1 }
}

/** The fields of the next step that differ. */
type StepChange = Partial<AttemptStep> | undefined

/** If `maxTokens` was not set, retries once with what the denying scope can afford. */
function afterDenial(remaining: Remaining | undefined, context: StepContext): StepChange {
  const { step, prompt, maxTokens } = context
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

/** Sends the invalid answer back with what is wrong; asks again after an empty one. */
function repair(error: P2Error, text: string, context: StepContext): StepChange {
  const { step, prompt } = context
  const invalid = error instanceof InvalidAnswerError ? error : undefined
  // A throwing refinement is a bug in the schema, so do not repair.
  if (invalid?.reason === "code") return undefined
  if (step.repairs >= prompt.request.repairs) return fallback(context)
  const repairMessages = invalid === undefined ? [] : messagesForRepair(text, invalid)
  return { reason: "repair", repairs: step.repairs + 1, repairMessages }
}

/** Asks for a truncated answer again, with four times the output tokens. A fixed `maxTokens` forbids that. */
function longer({ maxTokens }: AnswerTruncatedError, context: StepContext): StepChange {
  const { step, prompt, remainingNanoUsd } = context
  if (prompt.request.maxTokens !== undefined || step.repairs >= prompt.request.repairs) return fallback(context)
  const wanted = maxTokens * 4
  const plan = planCall(prompt, { maxTokens: wanted, remainingNanoUsd })
  if (plan.status === "denied" || plan.maxTokens <= maxTokens) return fallback(context)
  return { reason: "longer", repairs: step.repairs + 1, maxTokens: wanted }
}

function retry(error: P2Error, context: StepContext): StepChange {
  const { step, remainingMs, random } = context
  const retries = step.retries + 1
  const delayMs = retryDelayMs(retries, (error as Partial<ProviderError>).retryAfterMs, random())
  // Skip retries that would start after the deadline.
  if (delayMs === undefined || delayMs >= remainingMs) return fallback(context)
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

/** A longer `Retry-After` is not waited for. */
const MAX_RETRY_AFTER_MS = 60_000
const FIRST_DELAY_MS = 500
const MAX_DELAY_MS = 8_000

/**
 * `Retry-After` plus up to a tenth, else 500 ms doubled by each retry up to 8 s, minus up to half: the jitter keeps
 * callers from retrying at the same moment. Undefined: `Retry-After` is too long.
 */
function retryDelayMs(retry: number, retryAfterMs: number | undefined, random: number): number | undefined {
  if (retryAfterMs !== undefined)
    return retryAfterMs > MAX_RETRY_AFTER_MS ? undefined : Math.round(retryAfterMs * (1 + random / 10))
  return Math.round(Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (retry - 1)) * (1 - random / 2))
}

/** Characters of an invalid answer that are sent back. */
const MAX_REPAIR_ANSWER = 4_000
const MAX_REPAIR_ISSUES = 20
/** Characters of one issue. */
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
