import { BudgetExceededError, type ReserveWait } from "@p2/budget"
import type { P2Error } from "@p2/core"
import { type Charge, decideCharge } from "@p2/guard/charge"
import { attemptLimit } from "../budget/budget-info"
import { reserveInBudget, settledEntry, settleInBudget } from "../budget/reserve-in-budget"
import { type DeadlineExceededError, UnexpectedError } from "../errors"
import type { AttemptReceipt, SettlementStatus } from "../receipt"
import { DeadlineRace } from "../transport/deadline-race"
import { failedSend, type SendResult, sendRequest } from "../transport/send"
import { chatBody, hasFile } from "./chat-body"
import { type AttemptPlan, type AttemptSettings, attemptId, type GenerateCall, type Remaining } from "./generate-call"
import { judgeAnswer, type Verdict } from "./judge-answer"
import { planAttempt } from "./plan-attempt"

/**
 * How an attempt ended, with its receipt. `denied`: a limit or the context window denied it. `not-reserved`: the circuit
 * breaker, the store, a deadline or an abort ended it, and it has no reservation. For both, nothing was sent. `failed`: it has no
 * answer, and was sent, may have been sent, or is proven not sent.
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
  remaining: Remaining,
): Promise<AttemptOutcome> {
  const startedAt = call.clock.now()
  const race = new DeadlineRace(call.signal)
  // Unless an answer arrived, the transport may still be running.
  let abortTransport = true
  try {
    race.start("total", call.request.timeoutMs, { remainingMs: remaining.ms })
    const plan = planAttempt(call, settings, remaining.nanoUsd)
    if (plan.status === "denied") {
      const { error } = plan
      const receipt = unsentReceipt(call, plan, { status: "denied", error }, { startedAt })
      return { status: "denied", error, plan, receipt }
    }

    // Before the reserve, so that an error in it leaves no reservation.
    const body = chatBody(call.request, call.compiled, plan)
    const start = performance.now()
    const reserved = await reserveInBudget(call, plan, race, remaining.ms)
    const { wait } = reserved
    const reserveMs = performance.now() - start
    if (reserved.status !== "reserved") {
      const { error } = reserved
      const status = reserved.status === "denied" ? "denied" : "released"
      const receipt = unsentReceipt(call, plan, { status, error }, { startedAt, reserveMs, wait })
      return status === "denied" ? { status, error, plan, receipt } : { status: "not-reserved", error, receipt }
    }

    const { result, charge, verdict } = await sendAndJudge(call, plan, body, race)
    abortTransport = verdict.status === "failed"
    const judged = performance.now()

    const ended = { status: statusOf(verdict, charge), durationMs: judged - start }
    const entry = settledEntry(call, plan, result.reading, verdict, ended)
    const settlement = await settleInBudget(reserved.attempt, charge, entry)
    const marks = { startedAt, reserveMs, wait, start, judged, settled: performance.now() }
    const receipt = sentReceipt(call, plan, result, charge, verdict, settlement, marks)
    return { ...verdict, receipt }
  } finally {
    race.finish({ abortTransport })
  }
}

/**
 * Sends the request, and decides the charge and the verdict. Never rejects: an unexpected error is charged in full, because the
 * request may have been sent.
 */
async function sendAndJudge(
  call: GenerateCall,
  plan: AttemptPlan,
  body: Record<string, unknown>,
  race: DeadlineRace,
): Promise<{ result: SendResult; charge: Charge; verdict: Verdict }> {
  try {
    const result = await sendRequest(call, plan, body, race)
    return { result, charge: chargeOf(call, plan, result, race), verdict: await judge(call, plan, result, race) }
  } catch (cause) {
    const error = new UnexpectedError(cause)
    const { upperBoundNanoUsd: costNanoUsd, inputUpperBound, maxTokens } = plan
    const bound = { costNanoUsd, tokens: inputUpperBound + maxTokens, costSource: "bound" } as const
    return {
      result: failedSend(plan, error),
      charge: { status: "charged", ...bound, tableCostNanoUsd: undefined, inDoubt: true, health: "unknown" },
      verdict: { status: "failed", error, text: "" },
    }
  }
}

/** Decides the charge by what the provider reported, by its billing rules, or by the caller's choice. */
function chargeOf(
  { request, chargeOptions }: GenerateCall,
  plan: AttemptPlan,
  result: SendResult,
  race: DeadlineRace,
): Charge {
  const { route, messages, inputUpperBound, maxTokens, upperBoundNanoUsd } = plan
  const { reading, httpStatus, sent } = result
  const isEndedByRace = result.status === "failed" && result.error === race.error
  const evidence = {
    provider: route.provider.name,
    sent,
    httpStatus,
    reading: httpStatus === undefined ? undefined : reading,
    endedBy: isEndedByRace ? (race.error?.code === "aborted" ? ("caller" as const) : ("deadline" as const)) : undefined,
    // OpenRouter searches the web and reads files by plugins.
    hasHostedTools: request.online || messages.some(hasFile),
  }
  const reserved = {
    nanoUsd: upperBoundNanoUsd,
    tokens: inputUpperBound + maxTokens,
    inputTokens: inputUpperBound,
    boundOf: (outputTokens: number) => route.upperBound(messages, inputUpperBound, outputTokens).nanoUsd,
    costOf: route.costOf,
  }
  return decideCharge(evidence, reserved, chargeOptions)
}

/** The user's schemas may run asynchronous code, so the race limits its time. */
async function judge(call: GenerateCall, plan: AttemptPlan, result: SendResult, race: DeadlineRace): Promise<Verdict> {
  const { completion } = result
  if (result.status === "failed") return { status: "failed", error: result.error, text: completion.text }
  try {
    return await race.wait(judgeAnswer(call, plan, completion))
  } catch (error) {
    return { status: "failed", error: race.error ?? new UnexpectedError(error), text: completion.text }
  }
}

/** The receipt of an attempt without a reservation. */
function unsentReceipt(
  call: GenerateCall,
  plan: AttemptPlan,
  { status, error }: { status: "denied" | "released"; error: P2Error },
  { startedAt, reserveMs = 0, wait }: { startedAt: number; reserveMs?: number; wait?: ReserveWait | undefined },
): AttemptReceipt {
  const { settings } = plan
  return {
    attempt: settings.attempt,
    step: settings.step,
    id: attemptId(call, settings),
    reason: settings.reason,
    model: plan.route.model,
    provider: plan.route.provider.name,
    mode: settings.mode,
    streamed: plan.streamed,
    status,
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

/**
 * The receipt of an attempt with a reservation. `start`, `judged` and `settled` are readings of `performance.now()`. Using
 * spreads instead costs 45 µs per call (bench/overhead.mjs).
 */
function sentReceipt(
  call: GenerateCall,
  plan: AttemptPlan,
  { completion, reading, httpStatus, headersAt, firstContentAt }: SendResult,
  charge: Charge,
  verdict: Verdict,
  settlement: SettlementStatus,
  marks: {
    startedAt: number
    reserveMs: number
    wait: ReserveWait | undefined
    start: number
    judged: number
    settled: number
  },
): AttemptReceipt {
  const { settings } = plan
  const { model, usage, generationId } = reading
  const error = verdict.status === "failed" ? verdict.error : undefined
  const charged = charge.status === "released" ? RELEASED : charge
  const { start, judged, settled } = marks
  return {
    attempt: settings.attempt,
    step: settings.step,
    id: attemptId(call, settings),
    reason: settings.reason,
    model: plan.route.model,
    modelUsed: model,
    provider: plan.route.provider.name,
    mode: settings.mode,
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

function waitedLimit(wait: ReserveWait | undefined): AttemptReceipt["limit"] {
  return wait === undefined ? undefined : attemptLimit(wait.limits[0]!)
}

/** The cost of a released attempt. */
const RELEASED = { costNanoUsd: 0, costSource: "none", tableCostNanoUsd: undefined, inDoubt: false } as const

function statusOf(verdict: Verdict, charge: Charge): AttemptReceipt["status"] {
  if (verdict.status !== "failed") return "succeeded"
  return charge.status === "released" ? "released" : "failed"
}

function deadlineOf(error: P2Error | undefined): AttemptReceipt["deadlineHit"] {
  return (error as Partial<DeadlineExceededError> | undefined)?.deadline
}
