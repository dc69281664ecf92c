import type { UsageEntry } from "@p2/budget"
import type { P2Error } from "@p2/core"
import { type Charge, decideCharge } from "@p2/guard/charge"
import { attemptId, entryContent, entryTokens, reserveInBudget, settleInBudget } from "../budget/reserve-in-budget"
import { type DeadlineExceededError, UnexpectedError } from "../errors"
import type { AttemptReceipt, SettlementStatus } from "../receipt"
import { DeadlineExceededRace } from "../transport/deadline-exceeded-race"
import { type SendResult, sendRequest } from "../transport/send"
import { chatBody, hasFile } from "./chat-body"
import type { AttemptPlan, AttemptStep, GenerateCall } from "./generate-call"
import { judgeAnswer, type Verdict } from "./judge-answer"
import { planAttempt } from "./plan-attempt"

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
  step: AttemptStep,
  remaining: { ms: number; nanoUsd: number | undefined },
): Promise<AttemptOutcome> {
  const startedAt = call.clock.now()
  const race = new DeadlineExceededRace(call.signal)
  let abortTransport = true
  try {
    race.start("total", call.request.timeoutMs, { remainingMs: remaining.ms })
    const plan = planAttempt(call, step, remaining.nanoUsd)
    if (plan.status === "denied") {
      const { error } = plan
      return { status: "denied", error, plan, receipt: unsentReceipt(call, step, plan, "denied", error, { startedAt }) }
    }

    const start = performance.now()
    const reserved = await reserveInBudget(call, step, plan, race)
    const reserveMs = performance.now() - start
    if (reserved.status !== "reserved") {
      const { status, error } = reserved
      const receipt = unsentReceipt(call, step, plan, status, error, { startedAt, reserveMs })
      return status === "denied" ? { status, error, plan, receipt } : { status, error, receipt }
    }

    const result = await send(call, step, plan, race)
    const charge = chargeOf(call, plan, result, race)
    const verdict = await judge(call, plan, result, race)
    abortTransport = verdict.status === "failed"
    const judged = performance.now()

    const settlement = await settleInBudget(
      reserved.attempt,
      charge,
      entryOf(call, plan, result, charge, verdict, judged - start),
    )
    const marks = { startedAt, reserveMs, start, judged, settled: performance.now() }
    const receipt = sentReceipt(call, step, plan, result, charge, verdict, settlement, marks)
    return verdict.status === "answered"
      ? { status: "answered", answer: verdict.answer, text: verdict.text, receipt }
      : { status: "failed", error: verdict.error, text: verdict.text, receipt }
  } finally {
    race.finish({ abortTransport })
  }
}

function send(
  call: GenerateCall,
  step: AttemptStep,
  plan: AttemptPlan,
  race: DeadlineExceededRace,
): Promise<SendResult> {
  const { request, compiled, deadlines, clock, onText, instances } = call
  const { route, streamed } = plan
  return sendRequest({
    id: attemptId(call, step),
    openai: instances.get(route)!,
    provider: route.provider,
    body: chatBody(request, compiled, plan),
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

/** The user's schema may run asynchronous code, so the race limits its time. */
async function judge(
  { compiled }: GenerateCall,
  { route, maxTokens }: AttemptPlan,
  result: SendResult,
  race: DeadlineExceededRace,
): Promise<Verdict> {
  const { text } = result.completion
  if (result.status === "failed") return { status: "failed", error: result.error, text }
  try {
    return await race.wait(judgeAnswer(result.completion, { compiled, provider: route.provider.name, maxTokens }))
  } catch (error) {
    return { status: "failed", error: race.error ?? new UnexpectedError(error), text }
  }
}

/** The receipt of an attempt without a reservation. */
function unsentReceipt(
  call: GenerateCall,
  step: AttemptStep,
  plan: AttemptPlan,
  status: "denied" | "not-reserved",
  error: P2Error,
  { startedAt, reserveMs = 0 }: { startedAt: number; reserveMs?: number },
): AttemptReceipt {
  return {
    attempt: step.attempt,
    id: attemptId(call, step),
    reason: step.reason,
    model: plan.route.model,
    provider: plan.route.provider.name,
    mode: plan.mode,
    streamed: plan.streamed,
    status: status === "denied" ? "denied" : "released",
    errorCode: error.code,
    deadlineHit: deadlineOf(error),
    costNanoUsd: 0,
    costSource: "none",
    inDoubt: false,
    reservedNanoUsd: 0,
    maxTokens: plan.maxTokens,
    settlement: "none",
    timings: { startedAt, reserveMs, totalMs: reserveMs },
  }
}

/** The usage entry of an attempt with a reservation. The budget adds what it was reserved with, and the charge. */
function entryOf(
  call: GenerateCall,
  plan: AttemptPlan,
  { completion }: SendResult,
  charge: Charge,
  verdict: Verdict,
  durationMs: number,
): Partial<UsageEntry> {
  const { model, usage, generationId } = completion.read()
  const content = call.recordContent ? entryContent(plan.messages, verdict.text) : undefined
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
 * The receipt of an attempt with a reservation. `marks` are readings of `performance.now()`. Spreads in its place cost 45 µs
 * per call, a third of what the client adds to it (bench/overhead.mjs).
 */
function sentReceipt(
  call: GenerateCall,
  step: AttemptStep,
  plan: AttemptPlan,
  { completion, httpStatus, headersAt, firstContentAt }: SendResult,
  charge: Charge,
  verdict: Verdict,
  settlement: SettlementStatus,
  marks: { startedAt: number; reserveMs: number; start: number; judged: number; settled: number },
): AttemptReceipt {
  const { model, usage, generationId } = completion.read()
  const error = verdict.status === "failed" ? verdict.error : undefined
  const charged = charge.status === "released" ? RELEASED : charge
  const { start, judged, settled } = marks
  return {
    attempt: step.attempt,
    id: attemptId(call, step),
    reason: step.reason,
    model: plan.route.model,
    modelUsed: model,
    provider: plan.route.provider.name,
    mode: plan.mode,
    streamed: plan.streamed,
    status: statusOf(verdict, charge),
    httpStatus,
    finishReason: completion.finishReason,
    errorCode: error?.code,
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
      headersMs: headersAt === undefined ? undefined : headersAt - start,
      firstContentMs: firstContentAt === undefined ? undefined : firstContentAt - start,
      settleMs: settled - judged,
      totalMs: settled - start,
    },
  }
}

/** What a released attempt costs. */
const RELEASED = { costNanoUsd: 0, costSource: "none", tableCostNanoUsd: undefined, inDoubt: false } as const

function statusOf(verdict: Verdict, charge: Charge): AttemptReceipt["status"] {
  if (verdict.status === "answered") return "succeeded"
  return charge.status === "released" ? "released" : "failed"
}

function deadlineOf(error: P2Error | undefined): AttemptReceipt["deadlineHit"] {
  return (error as Partial<DeadlineExceededError> | undefined)?.deadline
}
