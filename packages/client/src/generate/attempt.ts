import type { CompiledAnswer, Message, P2Error, Request } from "@p2/core"
import { type CallBudget, reserveCall, settleCall } from "../budget/reserve-call"
import { type DeadlineExceededError, UnexpectedError } from "../errors"
import type { ClientClock, Logger } from "../options/client-options"
import type { OpenRoute } from "../providers/routes"
import type { AttemptReceipt } from "../receipt"
import { DeadlineRace } from "../transport/deadline-race"
import { type SentRequest, sendRequest } from "../transport/send"
import { type AnswerVerdict, judgeAnswer, rejected } from "./judge-answer"
import type { AttemptOutcome, AttemptStep } from "./next-step"
import { type CallPlan, type PlannedCall, planCall } from "./plan-call"
import { type Charge, priceCall } from "./price-call"
import { chatBody, type Prompt } from "./prompt"

/** One call of `generate()` or `stream()`, as it was started. */
export interface GenerateCall {
  requestId: string
  request: Request<unknown>
  /** The request's model and its fallbacks, in order. */
  routes: readonly OpenRoute[]
  /** A snapshot of the conversation. */
  messages: readonly Message[]
  compiled: CompiledAnswer<unknown> | undefined
  callBudget: CallBudget
  deadlines: { connectMs: number; firstContentMs: number; idleMs: number }
  signal: AbortSignal | undefined
  stream: boolean
  /** Called with the text so far after each piece of content. */
  onText: ((text: string) => void) | undefined
  clock: ClientClock
  logger: Logger | undefined
  /** Stores prompts and answers in the ledger. */
  recordContent: boolean
  /** The client stays open until this work has ended. */
  waitFor: (work: Promise<unknown>) => Promise<unknown>
}

/** What an attempt found. */
export interface AttemptResult {
  prompt: Prompt
  outcome: AttemptOutcome
  receipt: AttemptReceipt
}

/**
 * One attempt: plan, reserve, send, judge, price, settle. An admitted attempt makes two round trips to the store.
 * @throws P2Error (usage) when the cost has no upper bound; nothing was reserved then.
 */
export async function runAttempt(
  call: GenerateCall,
  step: AttemptStep,
  remaining: { ms: number; nanoUsd: number | undefined },
): Promise<AttemptResult> {
  const { request, callBudget, waitFor } = call
  const prompt = promptOf(call, step)
  const race = new DeadlineRace(call.signal)
  let abortTransport = true
  try {
    race.start("total", request.timeoutMs, { remainingMs: remaining.ms })
    const plan = planCall(prompt, { maxTokens: step.maxTokens, remainingNanoUsd: remaining.nanoUsd })
    const begin = beginReceipt(call, step, prompt, plan)
    const startedAt = performance.now()
    if (plan.status === "denied") {
      const receipt = unsentReceipt(begin, "denied", plan.error, 0)
      return { prompt, receipt, outcome: { status: "denied", error: plan.error, remaining: undefined } }
    }

    const { upperBoundNanoUsd } = plan
    const upperBoundTokens = plan.input.upperBound + plan.maxTokens
    const reserve = { requestId: call.requestId, attempt: begin, upperBoundNanoUsd, upperBoundTokens }
    const reply = await reserveCall(callBudget, reserve, { race, waitFor })
    const reserveMs = performance.now() - startedAt
    if (reply.status === "denied") {
      const receipt = unsentReceipt(begin, "denied", reply.error, reserveMs)
      return { prompt, receipt, outcome: reply }
    }
    if (reply.status === "failed") {
      const receipt = unsentReceipt(begin, "released", reply.error, reserveMs)
      return { prompt, receipt, outcome: { status: "not-reserved", error: reply.error } }
    }

    const sent = await send(call, prompt, plan, begin, race)
    const verdict = await judge(prompt, plan, sent, race)
    abortTransport = verdict.status === "rejected"
    const charge = priceCall(prompt.route, plan, sent)
    const facts = { plan, sent, verdict, charge, startedAt, reserveMs, pricedAt: performance.now() }
    const receipt = sentReceipt(begin, facts, { settlement: "pending", settledAt: undefined })

    const { text } = sent.completion
    const content = call.recordContent ? { prompt: prompt.messages, answer: text } : undefined
    const settlement = await settleCall(reply.reservation, receipt, charge.tokens, content)
    return {
      prompt,
      receipt: sentReceipt(begin, facts, { settlement, settledAt: performance.now() }),
      outcome:
        verdict.status === "accepted"
          ? { status: "answered", answer: verdict.answer, text }
          : { status: "failed", error: verdict.error, text },
    }
  } finally {
    race.finish({ abortTransport })
  }
}

function promptOf({ request, routes, messages, compiled }: GenerateCall, step: AttemptStep): Prompt {
  return {
    request,
    route: routes[step.routeIndex]!,
    messages: step.repairMessages.length === 0 ? messages : [...messages, ...step.repairMessages],
    compiled,
    mode: step.mode,
  }
}

function send(
  { request, deadlines, clock, onText }: GenerateCall,
  prompt: Prompt,
  plan: PlannedCall,
  { id, streamed }: ReceiptBeginning,
  race: DeadlineRace,
): Promise<SentRequest> {
  const { openai, provider } = prompt.route as OpenRoute
  const body = chatBody(prompt, { maxTokens: plan.maxTokens, stream: streamed, maxPrice: plan.maxPrice })
  const { timeoutMs } = request
  return sendRequest({ id, openai, provider, body, streamed, race, deadlines, timeoutMs, now: clock.now, onText })
}

/** The user's schema may run asynchronous code, for which it has the rest of the deadline. */
async function judge(
  { compiled, route }: Prompt,
  { maxTokens }: PlannedCall,
  sent: SentRequest,
  race: DeadlineRace,
): Promise<AnswerVerdict> {
  if (sent.status === "failed") return rejected(sent.error)
  try {
    return await race.race(judgeAnswer(sent.completion, { compiled, provider: route.provider.name, maxTokens }))
  } catch (error) {
    return rejected(race.error ?? new UnexpectedError(error))
  }
}

/** The part of a receipt that is known before the attempt. */
interface ReceiptBeginning {
  attempt: number
  id: string
  reason: AttemptReceipt["reason"]
  model: string
  provider: string
  mode: AttemptReceipt["mode"]
  streamed: boolean
  maxTokens: number
  /** Epoch milliseconds. */
  beganAt: number
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
    beganAt: call.clock.now(),
  }
}

/** The receipt of an attempt of which nothing was sent. */
function unsentReceipt(
  { beganAt, ...beginning }: ReceiptBeginning,
  status: "denied" | "released",
  error: P2Error,
  reserveMs: number,
): AttemptReceipt {
  return {
    ...beginning,
    status,
    errorCode: error.code,
    deadlineHit: deadlineIn(error),
    costNanoUsd: 0,
    costSource: "none",
    reservedNanoUsd: 0,
    settlement: "none",
    timings: { startedAt: beganAt, reserveMs, totalMs: reserveMs },
  }
}

/** What an attempt that was reserved found. Times are on the clock of `performance.now()`. */
interface SentFacts {
  plan: PlannedCall
  sent: SentRequest
  verdict: AnswerVerdict
  charge: Charge
  startedAt: number
  reserveMs: number
  pricedAt: number
}

/**
 * The receipt of an attempt that was reserved; `settledAt` is undefined before it is settled. Spreading here costs 40 µs
 * per call, half of what the client adds to it (bench/overhead.mjs).
 */
function sentReceipt(
  beginning: ReceiptBeginning,
  { plan, sent, verdict, charge, startedAt, reserveMs, pricedAt }: SentFacts,
  { settlement, settledAt }: { settlement: AttemptReceipt["settlement"]; settledAt: number | undefined },
): AttemptReceipt {
  const { completion } = sent
  const error = verdict.status === "rejected" ? verdict.error : undefined
  const sinceStart = (at: number | undefined) => (at === undefined ? undefined : at - startedAt)
  return {
    attempt: beginning.attempt,
    id: beginning.id,
    reason: beginning.reason,
    model: beginning.model,
    modelUsed: completion.model,
    provider: beginning.provider,
    mode: beginning.mode,
    streamed: beginning.streamed,
    status: error === undefined ? "succeeded" : sent.billing === "unsent" ? "released" : "failed",
    httpStatus: sent.httpStatus,
    finishReason: completion.finishReason,
    errorCode: error?.code,
    deadlineHit: deadlineIn(error),
    usage: charge.usage,
    costNanoUsd: charge.costNanoUsd,
    costSource: charge.costSource,
    tableCostNanoUsd: charge.tableCostNanoUsd,
    reservedNanoUsd: plan.upperBoundNanoUsd,
    maxTokens: beginning.maxTokens,
    generationId: completion.generationId,
    settlement,
    timings: {
      startedAt: beginning.beganAt,
      reserveMs,
      headersMs: sinceStart(sent.headersAt),
      firstContentMs: sinceStart(sent.firstContentAt),
      settleMs: settledAt === undefined ? undefined : settledAt - pricedAt,
      totalMs: (settledAt ?? pricedAt) - startedAt,
    },
  }
}

function deadlineIn(error: P2Error | undefined): AttemptReceipt["deadlineHit"] {
  return (error as Partial<DeadlineExceededError> | undefined)?.deadline
}
