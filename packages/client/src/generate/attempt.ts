import type { CompiledAnswer, Message, P2Error, Request } from "@p2/core"
import { type CallBudget, reserveCall, settleCall, type Unreserved } from "../budget/reserve-call"
import { type DeadlineExceededError, UnexpectedError } from "../errors"
import type { ClientClock, Logger } from "../options/client-options"
import type { CallableRoute } from "../providers/routes"
import type { AttemptReceipt } from "../receipt"
import { DeadlineRace } from "../transport/deadline-race"
import { type SendResult, sendRequest } from "../transport/send"
import { type AnswerOutcome, judgeAnswer } from "./judge-answer"
import type { AttemptOutcome, AttemptStep } from "./next-step"
import { type CallPlan, type PlannedCall, planCall } from "./plan-call"
import { type Charge, priceCall } from "./price-call"
import { chatBody, type Prompt } from "./prompt"

/** One call of `generate()` or `stream()`. */
export interface GenerateCall {
  requestId: string
  request: Request<unknown>
  /** The request's model and its fallbacks, in order. */
  routes: readonly CallableRoute[]
  /** A snapshot of the conversation. */
  messages: readonly Message[]
  compiled: CompiledAnswer<unknown> | undefined
  callBudget: CallBudget
  deadlines: { connectMs: number; firstContentMs: number; idleMs: number }
  signal: AbortSignal | undefined
  stream: boolean
  /** Called with the text so far after each piece of content. */
  onText: ((text: string) => void) | undefined
  /** Adds the answer to the conversation. */
  addAnswer: (text: string) => void
  clock: ClientClock
  logger: Logger | undefined
  /** Stores prompts and answers in the ledger. */
  recordContent: boolean
  /** Keeps the client open until this work has ended. */
  waitFor: (work: Promise<unknown>) => Promise<unknown>
}

/**
 * One attempt: plan, reserve, send, price, judge, settle. An attempt with a reservation makes two round trips to the store.
 * @throws P2Error (usage) if the cost has no upper bound; nothing was reserved then.
 */
export async function runAttempt(
  call: GenerateCall,
  step: AttemptStep,
  prompt: Prompt,
  remaining: { ms: number; nanoUsd: number | undefined },
): Promise<AttemptOutcome> {
  const { request, callBudget, requestId, waitFor } = call
  const race = new DeadlineRace(call.signal)
  let abortTransport = true
  try {
    race.start("total", request.timeoutMs, { remainingMs: remaining.ms })
    const plan = planCall(prompt, { maxTokens: step.maxTokens, remainingNanoUsd: remaining.nanoUsd })
    const begin = beginReceipt(call, step, prompt, plan)
    if (plan.status === "denied") return { ...plan, receipt: unsentReceipt(begin, plan, 0) }

    const reserveStart = performance.now()
    const upperBound = { nanoUsd: plan.upperBoundNanoUsd, tokens: plan.input.upperBound + plan.maxTokens }
    const reply = await reserveCall(callBudget, requestId, begin, upperBound, { race, waitFor })
    const reserveMs = performance.now() - reserveStart
    if (reply.status !== "reserved") return { ...reply, receipt: unsentReceipt(begin, reply, reserveMs) }

    const result = await send(call, prompt, plan, begin, race)
    const charge = priceCall(prompt.route, plan, result)
    const outcome = await judge(prompt, plan, result, race)
    abortTransport = outcome.status === "failed"
    const marks = { start: reserveStart, reserveMs, judged: performance.now(), settled: undefined }
    const receipt = reservedReceipt(begin, plan, result, charge, outcome, "pending", marks)

    const content = call.recordContent ? { prompt: prompt.messages, answer: outcome.text } : undefined
    const settlement = await settleCall(reply.reservation, receipt, charge.tokens, content)
    const settledMarks = { ...marks, settled: performance.now() }
    return { ...outcome, receipt: reservedReceipt(begin, plan, result, charge, outcome, settlement, settledMarks) }
  } finally {
    race.finish({ abortTransport })
  }
}

function send(
  { request, deadlines, clock, onText }: GenerateCall,
  prompt: Prompt,
  plan: PlannedCall,
  { id, streamed }: ReceiptBeginning,
  race: DeadlineRace,
): Promise<SendResult> {
  const { openai, provider } = prompt.route as CallableRoute
  const body = chatBody(prompt, { maxTokens: plan.maxTokens, stream: streamed, maxPrice: plan.maxPrice })
  const { timeoutMs } = request
  return sendRequest({ id, openai, provider, body, streamed, race, deadlines, timeoutMs, now: clock.now, onText })
}

/** The user's schema may run asynchronous code, so the race limits its time. */
async function judge(
  { compiled, route }: Prompt,
  { maxTokens }: PlannedCall,
  result: SendResult,
  race: DeadlineRace,
): Promise<AnswerOutcome> {
  const { text } = result.completion
  if (result.status === "failed") return { status: "failed", error: result.error, text }
  try {
    return await race.wait(judgeAnswer(result.completion, { compiled, provider: route.provider.name, maxTokens }))
  } catch (error) {
    return { status: "failed", error: race.error ?? new UnexpectedError(error), text }
  }
}

/** The fields of a receipt that are known before the attempt. */
type ReceiptBeginning = Pick<
  AttemptReceipt,
  "attempt" | "id" | "reason" | "model" | "provider" | "mode" | "streamed" | "maxTokens"
> & {
  /** Epoch milliseconds. */
  startedAt: number
}

function beginReceipt(
  call: GenerateCall,
  step: AttemptStep,
  { route, mode, request }: Prompt,
  plan: CallPlan,
): ReceiptBeginning {
  const isPlanned = plan.status === "planned"
  return {
    attempt: step.attempt,
    id: `${call.requestId}.${step.attempt}`,
    reason: step.reason,
    model: route.model,
    provider: route.provider.name,
    mode,
    streamed: call.stream || (isPlanned && plan.mustStream),
    maxTokens: isPlanned ? plan.maxTokens : (request.maxTokens ?? 0),
    startedAt: call.clock.now(),
  }
}

/** The receipt of an attempt without a reservation. */
function unsentReceipt(
  { startedAt, ...beginning }: ReceiptBeginning,
  { status, error }: Unreserved,
  reserveMs: number,
): AttemptReceipt {
  return {
    ...beginning,
    status: status === "denied" ? "denied" : "released",
    errorCode: error.code,
    deadlineHit: deadlineOf(error),
    costNanoUsd: 0,
    costSource: "none",
    reservedNanoUsd: 0,
    settlement: "none",
    timings: { startedAt, reserveMs, totalMs: reserveMs },
  }
}

/**
 * The receipt of an attempt with a reservation. `marks` are readings of `performance.now()`; `settled` is undefined before
 * the settle. Spreading `begin` here costs 40 µs per call, half of what the client adds to it (bench/overhead.mjs).
 */
function reservedReceipt(
  begin: ReceiptBeginning,
  plan: PlannedCall,
  { completion, billing, httpStatus, headersAt, firstContentAt }: SendResult,
  charge: Charge,
  outcome: AnswerOutcome,
  settlement: AttemptReceipt["settlement"],
  marks: { start: number; reserveMs: number; judged: number; settled: number | undefined },
): AttemptReceipt {
  const error = outcome.status === "failed" ? outcome.error : undefined
  const { start, judged, settled } = marks
  const reading = completion.read()
  const sinceStart = (mark: number | undefined) => (mark === undefined ? undefined : mark - start)
  return {
    attempt: begin.attempt,
    id: begin.id,
    reason: begin.reason,
    model: begin.model,
    modelUsed: reading.model,
    provider: begin.provider,
    mode: begin.mode,
    streamed: begin.streamed,
    status: error === undefined ? "succeeded" : billing === "unsent" ? "released" : "failed",
    httpStatus,
    finishReason: completion.finishReason,
    errorCode: error?.code,
    deadlineHit: deadlineOf(error),
    usage: charge.usage,
    costNanoUsd: charge.costNanoUsd,
    costSource: charge.costSource,
    tableCostNanoUsd: charge.tableCostNanoUsd,
    reservedNanoUsd: plan.upperBoundNanoUsd,
    maxTokens: begin.maxTokens,
    generationId: reading.generationId,
    settlement,
    timings: {
      startedAt: begin.startedAt,
      reserveMs: marks.reserveMs,
      headersMs: sinceStart(headersAt),
      firstContentMs: sinceStart(firstContentAt),
      settleMs: settled === undefined ? undefined : settled - judged,
      totalMs: (settled ?? judged) - start,
    },
  }
}

function deadlineOf(error: P2Error | undefined): AttemptReceipt["deadlineHit"] {
  return (error as Partial<DeadlineExceededError> | undefined)?.deadline
}
