import { BudgetExceededError, type RoomWait, type UsageEntry } from "@p2/budget"
import { cutReasoning, type P2Error } from "@p2/core"
import { type Charge, decideCharge } from "@p2/guard/charge"
import type { ChatCompletion } from "@p2/guard/protocols"
import { attemptLimit } from "../budget/budget-info"
import { attemptId, entryContent, entryTokens, reserveInBudget, settleInBudget } from "../budget/reserve-in-budget"
import { AnswerTruncatedError, type DeadlineExceededError, UnexpectedError } from "../errors"
import type { AttemptReceipt, SettlementStatus } from "../receipt"
import { type CheckedCall, type CompiledTools, checkCalls } from "../steps/compiled-tools"
import { DeadlineExceededRace } from "../transport/deadline-exceeded-race"
import { type SendResult, sendRequest } from "../transport/send"
import { chatBody, hasFile } from "./chat-body"
import type { AttemptPlan, AttemptSettings, GenerateCall } from "./generate-call"
import { judgeAnswer, type Verdict } from "./judge-answer"
import { planAttempt } from "./plan-attempt"

/** The model called tools. `text` is what the model wrote besides the calls; `reasoning` has fields that the provider requires in the next step. */
export interface ToolCallsVerdict {
  status: "called"
  calls: readonly CheckedCall[]
  text: string
  reasoning: Readonly<Record<string, unknown>>
}

/**
 * How an attempt ended, with its receipt. `failed`: it was sent, or could not connect; `text` is what arrived. `denied`: a
 * limit or the context window denied it. `not-reserved`: the circuit breaker, the store, a deadline or an abort ended it before
 * it had a reservation. For `denied` and `not-reserved`, nothing was sent.
 */
export type AttemptOutcome = { receipt: AttemptReceipt } & (
  | Verdict
  | { status: "denied"; error: P2Error; plan: AttemptPlan }
  | { status: "not-reserved"; error: P2Error }
)

/**
 * One attempt: plan, reserve, send, charge, judge, settle. It makes one round trip to the store to reserve and one to settle.
 * While the provider and model are not proven to answer, the circuit breaker adds its own for a call with a limit in dollars: it
 * reads its counters, and reserves and settles in them unless another process has just proven the provider (docs/charges.md of
 * `@p2/guard`).
 * @throws P2Error (usage) if the cost has no upper bound; nothing was reserved then.
 */
export async function runAttempt(
  call: GenerateCall,
  settings: AttemptSettings,
  remaining: { ms: number; nanoUsd: number | undefined },
): Promise<AttemptOutcome | (ToolCallsVerdict & { receipt: AttemptReceipt })> {
  const startedAt = call.clock.now()
  const race = new DeadlineExceededRace(call.signal)
  let abortTransport = true
  try {
    race.start("total", call.request.timeoutMs, { remainingMs: remaining.ms })
    const plan = planAttempt(call, settings, remaining.nanoUsd)
    if (plan.status === "denied") {
      const { error } = plan
      return {
        status: "denied",
        error,
        plan,
        receipt: unsentReceipt(call, settings, plan, "denied", error, { startedAt }),
      }
    }

    const start = performance.now()
    const reserved = await reserveInBudget(call, settings, plan, race, remaining.ms)
    const reserveMs = performance.now() - start
    if (reserved.status !== "reserved") {
      const { status, error } = reserved
      const marks = { startedAt, reserveMs, wait: reserved.wait }
      const receipt = unsentReceipt(call, settings, plan, status, error, marks)
      return status === "denied" ? { status, error, plan, receipt } : { status, error, receipt }
    }

    const result = await send(call, settings, plan, race)
    const charge = chargeOf(call, plan, result, race)
    const verdict = await judge(call, plan, result, race)
    abortTransport = verdict.status === "failed"
    const judged = performance.now()

    const settlement = await settleInBudget(
      reserved.attempt,
      charge,
      entryOf(call, plan, result, charge, verdict, judged - start),
    )
    const marks = { startedAt, reserveMs, wait: reserved.wait, start, judged, settled: performance.now() }
    const receipt = sentReceipt(call, settings, plan, result, charge, verdict, settlement, marks)
    return { ...verdict, receipt }
  } finally {
    race.finish({ abortTransport })
  }
}

function send(
  call: GenerateCall,
  settings: AttemptSettings,
  plan: AttemptPlan,
  race: DeadlineExceededRace,
): Promise<SendResult> {
  const { request, compiled, deadlines, clock, onText, instances } = call
  const { route, streamed } = plan
  return sendRequest({
    id: attemptId(call, settings),
    openai: instances.get(route)!,
    provider: route.provider,
    body: Object.assign(chatBody(request, compiled, plan), plan.toolFields),
    answerTool: call.tools && (compiled?.name ?? null),
    streamed,
    race,
    deadlines,
    timeoutMs: request.timeoutMs,
    now: clock.now,
    onText,
  })
}

/** Decides the charge by what the provider reported, by its billing rules, or by the caller's choice. */
function chargeOf(
  { request, charge }: GenerateCall,
  plan: AttemptPlan,
  result: SendResult,
  race: DeadlineExceededRace,
): Charge {
  const { route, messages, inputUpperBound, maxTokens, upperBoundNanoUsd } = plan
  const { completion, httpStatus, sent } = result
  const isEnded = result.status === "failed" && result.error === race.error
  const evidence = {
    provider: route.provider.name,
    sent,
    httpStatus,
    reading: httpStatus === undefined ? undefined : completion.read(),
    endedBy: !isEnded ? undefined : race.error?.code === "aborted" ? ("caller" as const) : ("deadline" as const),
    hasHostedTools: request.online || messages.some(hasFile),
  }
  const reserved = {
    nanoUsd: upperBoundNanoUsd,
    tokens: inputUpperBound + maxTokens,
    inputTokens: inputUpperBound,
    boundOf: (outputTokens: number) => route.upperBound(messages, inputUpperBound, outputTokens).nanoUsd,
    costOf: route.costOf,
  }
  return decideCharge(evidence, reserved, charge)
}

/** The user's schemas may run asynchronous code, so the race limits its time. */
async function judge(
  call: GenerateCall,
  { route, maxTokens }: AttemptPlan,
  result: SendResult,
  race: DeadlineExceededRace,
): Promise<Verdict | ToolCallsVerdict> {
  const { completion } = result
  const { text } = completion
  if (result.status === "failed") return { status: "failed", error: result.error, text }
  try {
    const { compiled, tools, request } = call
    const called = tools && (await race.wait(judgeToolCalls(call, tools, completion, maxTokens)))
    if (called !== undefined) return called
    const { onTruncated } = request
    return await race.wait(judgeAnswer(completion, { compiled, provider: route.provider.name, maxTokens, onTruncated }))
  } catch (error) {
    return { status: "failed", error: race.error ?? new UnexpectedError(error), text }
  }
}

/**
 * Checks the tool calls of a message. Undefined: it has none, or did not end well. In the last step the calls are returned to
 * the caller, so that a call that does not fit fails like an answer, and is repaired.
 */
async function judgeToolCalls(
  { compiled, step }: GenerateCall,
  tools: CompiledTools,
  { toolCalls, content, reasoning, refusal, answerEnd }: ChatCompletion,
  maxTokens: number,
): Promise<Verdict | ToolCallsVerdict | undefined> {
  if (refusal !== "") return undefined
  const called = toolCalls.filter(({ name }) => name !== compiled?.name)
  if (called.length === 0 || answerEnd === "filtered" || answerEnd === "failed") return undefined
  const text = cutReasoning(content)
  if (answerEnd === "truncated") return { status: "failed", error: new AnswerTruncatedError(maxTokens, text), text }
  const calls = await checkCalls(called, tools, step)
  const invalid = step < tools.maxSteps ? undefined : calls.find((call) => call.status === "invalid")
  if (invalid?.status === "invalid")
    return { status: "failed", error: invalid.error, text: `${invalid.name}(${invalid.arguments})` }
  return { status: "called", calls, text, reasoning }
}

/** The receipt of an attempt without a reservation. */
function unsentReceipt(
  call: GenerateCall,
  settings: AttemptSettings,
  plan: AttemptPlan,
  status: "denied" | "not-reserved",
  error: P2Error,
  { startedAt, reserveMs = 0, wait }: { startedAt: number; reserveMs?: number; wait?: RoomWait | undefined },
): AttemptReceipt {
  return {
    attempt: settings.attempt,
    step: call.step,
    id: attemptId(call, settings),
    reason: settings.reason,
    model: plan.route.model,
    provider: plan.route.provider.name,
    mode: plan.mode,
    streamed: plan.streamed,
    status: status === "denied" ? "denied" : "released",
    errorCode: error.code,
    limit: BudgetExceededError.isInstance(error) ? attemptLimit(error) : waitedLimit(wait),
    deadlineHit: deadlineOf(error),
    costNanoUsd: 0,
    costSource: "none",
    inDoubt: false,
    reservedNanoUsd: 0,
    maxTokens: plan.maxTokens,
    settlement: "none",
    timings: { startedAt, reserveMs, waitMs: wait?.durationMs, totalMs: reserveMs },
  }
}

/** The answer of a resumable request is recorded whole, or not at all. */
function contentOf(
  { recordContent, isResumable }: GenerateCall,
  { messages }: AttemptPlan,
  verdict: Verdict | ToolCallsVerdict,
): Partial<UsageEntry> | undefined {
  const content = recordContent || isResumable ? entryContent(messages, verdict.text) : undefined
  if (content === undefined || !isResumable) return content
  const isWhole = verdict.status === "answered" && content.answer === verdict.text
  return { prompt: recordContent ? content.prompt : undefined, answer: isWhole ? content.answer : undefined }
}

/** The usage entry of an attempt with a reservation. The budget adds what it was reserved with, and the charge. */
function entryOf(
  call: GenerateCall,
  plan: AttemptPlan,
  { completion }: SendResult,
  charge: Charge,
  verdict: Verdict | ToolCallsVerdict,
  durationMs: number,
): Partial<UsageEntry> {
  const { model, usage, generationId } = completion.read()
  const content = contentOf(call, plan, verdict)
  return {
    status: statusOf(verdict, charge),
    modelUsed: model,
    errorCode: verdict.status === "failed" ? verdict.error.code : undefined,
    tokens: entryTokens(usage?.usage),
    durationMs: Math.round(durationMs),
    generationId,
    prompt: content?.prompt,
    answer: content?.answer,
  }
}

/**
 * The receipt of an attempt with a reservation. `marks` are readings of `performance.now()`. Using spreads instead
 * costs 45 µs per call, a third of what the client adds to it (bench/overhead.mjs).
 */
function sentReceipt(
  call: GenerateCall,
  settings: AttemptSettings,
  plan: AttemptPlan,
  { completion, httpStatus, headersAt, firstContentAt }: SendResult,
  charge: Charge,
  verdict: Verdict | ToolCallsVerdict,
  settlement: SettlementStatus,
  marks: {
    startedAt: number
    reserveMs: number
    wait: RoomWait | undefined
    start: number
    judged: number
    settled: number
  },
): AttemptReceipt {
  const { model, usage, generationId } = completion.read()
  const error = verdict.status === "failed" ? verdict.error : undefined
  const charged = charge.status === "released" ? RELEASED : charge
  const { start, judged, settled } = marks
  return {
    attempt: settings.attempt,
    step: call.step,
    id: attemptId(call, settings),
    reason: settings.reason,
    model: plan.route.model,
    modelUsed: model,
    provider: plan.route.provider.name,
    mode: plan.mode,
    streamed: plan.streamed,
    status: statusOf(verdict, charge),
    httpStatus,
    finishReason: completion.finishReason,
    errorCode: error?.code,
    limit: waitedLimit(marks.wait),
    deadlineHit: deadlineOf(error),
    usage: usage?.usage,
    costNanoUsd: charged.costNanoUsd,
    costSource: charged.costSource,
    tableCostNanoUsd: charged.tableCostNanoUsd,
    inDoubt: charged.inDoubt,
    reservedNanoUsd: plan.upperBoundNanoUsd,
    maxTokens: plan.maxTokens,
    generationId,
    settlement,
    timings: {
      startedAt: marks.startedAt,
      reserveMs: marks.reserveMs,
      waitMs: marks.wait?.durationMs,
      headersMs: headersAt === undefined ? undefined : headersAt - start,
      firstContentMs: firstContentAt === undefined ? undefined : firstContentAt - start,
      settleMs: settled - judged,
      totalMs: settled - start,
    },
  }
}

function waitedLimit(wait: RoomWait | undefined): AttemptReceipt["limit"] {
  return wait === undefined ? undefined : attemptLimit(wait.limits[0]!)
}

/** The cost of a released attempt. */
const RELEASED = { costNanoUsd: 0, costSource: "none", tableCostNanoUsd: undefined, inDoubt: false } as const

function statusOf(verdict: Verdict | ToolCallsVerdict, charge: Charge): AttemptReceipt["status"] {
  if (verdict.status !== "failed") return "succeeded"
  return charge.status === "released" ? "released" : "failed"
}

function deadlineOf(error: P2Error | undefined): AttemptReceipt["deadlineHit"] {
  return (error as Partial<DeadlineExceededError> | undefined)?.deadline
}
