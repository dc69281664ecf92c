import { BudgetExceededError } from "@p2/budget"
import { InvalidAnswerError, LruMap, type Message, type P2Error } from "@p2/core"
import { type AnswerTruncatedError, DeadlineExceededError, ProviderError } from "../errors"
import { STRUCTURED_MODES, type StructuredMode } from "../providers/provider"
import type { Route } from "../providers/route"
import type { AnswerMode } from "../receipt"
import { rejectsMode, rejectsStreamOptions } from "../transport/provider-failure"
import type { AttemptOutcome } from "./attempt"
import type { AttemptPlan, AttemptSettings, GenerateCall, PlanInput, Remaining } from "./generate-call"
import { narrowerMaxTokens, planAttempt } from "./plan-attempt"

/** The settings of the first attempt of a call. */
export function firstSettings(
  call: PlanInput,
  { routeIndex = 0, attempt = 1 }: { routeIndex?: number; attempt?: number } = {},
): AttemptSettings {
  const first = { attempt, step: 1, stepMessages: [], reason: "first", delayMs: 0, repairs: 0 } as const
  return { ...first, ...settingsOfRoute(call, routeIndex) }
}

/** The settings of the first attempt of the next step, after tool calls. `messages`: those calls and their results. */
export function nextStepSettings(
  call: PlanInput,
  settings: AttemptSettings,
  messages: readonly Message[],
): AttemptSettings {
  const { attempt, step, stepMessages, routeIndex } = settings
  return {
    ...firstSettings(call, { routeIndex, attempt: attempt + 1 }),
    step: step + 1,
    stepMessages: [...stepMessages, ...messages],
    reason: "tools",
  }
}

/** The settings that begin anew with each route. */
function settingsOfRoute({ routes, compiled }: PlanInput, routeIndex: number) {
  const route = routes[routeIndex]!
  return {
    routeIndex,
    mode: firstMode(route, compiled !== undefined),
    requestsStreamUsage: canRequestStreamUsage(route),
    repairMessages: [],
    maxTokens: undefined,
    narrowed: false,
    retries: 0,
  }
}

/** The settings of the attempt after one without an answer. Undefined: the request has failed. */
export function nextSettings(
  call: GenerateCall,
  settings: AttemptSettings,
  outcome: Exclude<AttemptOutcome, { status: "answered" | "called" }>,
  remaining: Remaining,
): AttemptSettings | undefined {
  const change = changeAfter(call, settings, outcome, remaining)
  return change && { ...settings, delayMs: 0, ...change, attempt: settings.attempt + 1 }
}

/** The settings of the next attempt that change. Undefined: no attempt follows. */
type SettingsChange = Partial<AttemptSettings> | undefined

function changeAfter(
  call: GenerateCall,
  settings: AttemptSettings,
  outcome: Exclude<AttemptOutcome, { status: "answered" | "called" }>,
  remaining: Remaining,
): SettingsChange {
  if (outcome.status === "denied") return afterDenial(call, settings, outcome.error, outcome.plan)
  if (outcome.status === "failed") return afterFailure(call, settings, outcome.error, outcome.text, remaining)
  // Without the store every further attempt would fail too. The circuit breaker rejects one provider and model only.
  return outcome.error.code === "circuit-open" ? fallback(call, settings) : undefined
}

/**
 * If `maxTokens` was not set, retries once with what the denying scope can afford. Uses no fallback if the call fits once other
 * calls settle: the answer would come from another model although the budget covers this one.
 */
function afterDenial(call: GenerateCall, settings: AttemptSettings, error: P2Error, plan: AttemptPlan): SettingsChange {
  // `maxBudget` or the context window denied the plan, which was lowered as far as possible.
  if (!BudgetExceededError.isInstance(error) || plan.status === "denied") return fallback(call, settings)
  if (!settings.narrowed && call.request.maxTokens === undefined) {
    const narrower = narrowerMaxTokens(plan, error.all)
    if (narrower !== undefined) return { reason: "narrowed", maxTokens: narrower, narrowed: true }
  }
  return error.busy ? undefined : fallback(call, settings)
}

function afterFailure(
  call: GenerateCall,
  settings: AttemptSettings,
  error: P2Error,
  text: string,
  remaining: Remaining,
): SettingsChange {
  const route = call.routes[settings.routeIndex]!
  if (call.signal?.aborted || (error instanceof DeadlineExceededError && error.deadline === "total")) return undefined
  if (error instanceof ProviderError) {
    if (settings.requestsStreamUsage && rejectsStreamOptions(error))
      return { reason: "mode", requestsStreamUsage: false }
    const mode = rejectsMode(error, settings.mode) ? looserMode(route, settings.mode) : undefined
    if (mode !== undefined) return { reason: "mode", mode }
  }
  switch (error.code) {
    case "answer-refused":
    case "content-filtered":
      return undefined
    case "invalid-answer":
    case "answer-empty":
      return repair(call, settings, error, text)
    case "answer-truncated":
      return longer(call, settings, error as AnswerTruncatedError, remaining)
  }
  const canRetry = error.retryable && settings.retries < call.request.retries
  return canRetry ? retry(call, settings, error, remaining) : fallback(call, settings)
}

/** Sends an invalid answer back with its issues. Repeats the request after an empty answer. */
function repair(call: GenerateCall, settings: AttemptSettings, error: P2Error, text: string): SettingsChange {
  const invalid = error instanceof InvalidAnswerError ? error : undefined
  // A throwing refinement is a bug in the schema, so do not repair.
  if (invalid?.reason === "code") return undefined
  if (settings.repairs >= call.request.repairs) return fallback(call, settings)
  const repairMessages = invalid === undefined ? [] : messagesForRepair(text, invalid)
  return { reason: "repair", repairs: settings.repairs + 1, repairMessages }
}

/** Requests a truncated answer again with four times the output tokens, unless the request sets `maxTokens`. */
function longer(
  call: GenerateCall,
  settings: AttemptSettings,
  { maxTokens }: AnswerTruncatedError,
  remaining: Remaining,
): SettingsChange {
  const { request } = call
  if (request.maxTokens !== undefined || settings.repairs >= request.repairs) return fallback(call, settings)
  const wanted = maxTokens * 4
  const plan = planAttempt(call, { ...settings, maxTokens: wanted }, remaining.nanoUsd)
  if (plan.status === "denied" || plan.maxTokens <= maxTokens) return fallback(call, settings)
  return { reason: "longer", repairs: settings.repairs + 1, maxTokens: wanted }
}

function retry(call: GenerateCall, settings: AttemptSettings, error: P2Error, remaining: Remaining): SettingsChange {
  const retries = settings.retries + 1
  const delayMs = retryDelayMs(retries, (error as Partial<ProviderError>).retryAfterMs, call.clock.random())
  // Skip retries that would start after the deadline.
  if (delayMs === undefined || delayMs >= remaining.ms) return fallback(call, settings)
  return { reason: "retry", retries, delayMs }
}

function fallback(call: GenerateCall, settings: AttemptSettings): SettingsChange {
  const routeIndex = settings.routeIndex + 1
  if (routeIndex >= call.routes.length) return undefined
  return { ...settingsOfRoute(call, routeIndex), reason: "fallback" }
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

/** The mode that worked last, by `route.modeKey`. Shared by all clients of the process, which are often short-lived. */
const workingModes = new LruMap<string, AnswerMode>(1_000)

/** Servers that answered a stream only without `stream_options`, by `route.modeKey`. */
const serversWithoutStreamUsage = new LruMap<string, true>(1_000)

function modesOf(route: Route): readonly StructuredMode[] {
  return route.provider.modes ?? STRUCTURED_MODES
}

/** The mode to start with: the one that worked last for this model at this base URL, else the strictest. */
function firstMode(route: Route, structured: boolean): AnswerMode {
  if (!structured) return "text"
  const modes = modesOf(route)
  const working = workingModes.get(route.modeKey)
  // A client with other `providers` may have used a mode that this one excludes.
  return working !== undefined && modes.includes(working as StructuredMode) ? working : modes[0]!
}

/** The next looser mode; undefined after the last. */
function looserMode(route: Route, mode: AnswerMode): AnswerMode | undefined {
  const modes = modesOf(route)
  return modes[modes.indexOf(mode as StructuredMode) + 1]
}

/** Whether to request the usage of a stream from a server. */
function canRequestStreamUsage(route: Route): boolean {
  return route.provider.streamOptions !== false && !serversWithoutStreamUsage.has(route.modeKey)
}

/** Remembers what worked, so that the next request starts with it. */
export function rememberServer(
  route: Route,
  { mode, requestsStreamUsage }: { mode: AnswerMode; requestsStreamUsage: boolean },
): void {
  if (mode !== "text") workingModes.set(route.modeKey, mode)
  if (!requestsStreamUsage && route.provider.streamOptions !== false) serversWithoutStreamUsage.set(route.modeKey, true)
}
