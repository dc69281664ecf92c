import { P2Error } from "@p2/core"
import { UnexpectedError } from "../client-errors"
import type { AttemptReceipt } from "../receipt"
import type { Ask } from "./chat-body"
import type { Completion } from "./completion"
import type { Left } from "./estimate"
import { type Judgement, judgeAnswer } from "./judge-answer"
import type { Plan } from "./plan-attempt"
import type { Hold, Refused } from "./purse"
import type { KnownCost } from "./route"
import type { Attempt } from "./run-setting"
import { type Sent, send } from "./send"
import { draftOf, entryOf } from "./usage-entry"
import type { ReportedUsage } from "./usage-from-wire"

export type AttemptOutcome =
  | { kind: "answered"; answer: unknown; text: string; receipt: AttemptReceipt }
  /** A limit said no; nothing was sent. `left`: what the refusing scopes have. */
  | { kind: "refused"; error: P2Error; left: Left | undefined; receipt: AttemptReceipt }
  /** `sent` is undefined when it did not come so far. */
  | { kind: "failed"; error: P2Error; text: string; sent: Sent | undefined; receipt: AttemptReceipt }

/** One attempt: reserve, send, judge, settle. Two calls to the store when it is admitted at once. Never rejects. */
export async function runAttempt(ask: Ask, plan: Plan, attempt: Attempt): Promise<AttemptOutcome> {
  const startedAt = performance.now()
  const receipt = blankReceipt(ask, attempt, plan.maxTokens)
  receipt.streamed ||= plan.mustStream
  const reserved = await reserve(ask, plan, receipt, attempt)
  receipt.timings.reserveMs = performance.now() - startedAt
  receipt.timings.totalMs = receipt.timings.reserveMs
  if (!reserved.ok) {
    const { error } = reserved
    if ("left" in reserved) return refused(receipt, error, reserved.left)
    receipt.errorCode = error.code
    return { kind: "failed", error, text: "", sent: undefined, receipt }
  }
  receipt.reservedNanoUsd = plan.boundNanoUsd
  const sent = await send(ask, plan, receipt, attempt)
  let judged = sent.error === undefined ? judge(ask, plan, sent, attempt) : wrong(sent.error)
  if (judged instanceof Promise) judged = await judged
  fill(receipt, ask, plan, sent, judged)
  fillTimes(receipt, sent, startedAt)
  const settlingAt = performance.now()
  receipt.timings.totalMs = settlingAt - startedAt
  receipt.settlement = await settle(reserved.hold, ask, receipt, attempt, sent.completion.text)
  receipt.timings.settleMs = performance.now() - settlingAt
  receipt.timings.totalMs += receipt.timings.settleMs
  const { text } = sent.completion
  if (judged.ok) return { kind: "answered", answer: judged.answer, text, receipt }
  return { kind: "failed", error: judged.error, text, sent, receipt }
}

/** The outcome of an attempt that did not come as far as the store. */
export function refusedOutcome(ask: Ask, attempt: Attempt, error: P2Error): AttemptOutcome {
  return refused(blankReceipt(ask, attempt, ask.request.maxTokens ?? 0), error, undefined)
}

function refused(receipt: AttemptReceipt, error: P2Error, left: Left | undefined): AttemptOutcome {
  receipt.status = "refused"
  receipt.errorCode = error.code
  return { kind: "refused", error, left, receipt }
}

function blankReceipt(ask: Ask, attempt: Attempt, maxTokens: number): AttemptReceipt {
  return {
    attempt: attempt.number,
    id: `${attempt.run.requestId}.${attempt.number}`,
    reason: attempt.reason,
    model: ask.route.model,
    modelUsed: undefined,
    provider: ask.route.provider.name,
    mode: ask.mode,
    streamed: attempt.run.stream,
    status: "released",
    httpStatus: undefined,
    finishReason: undefined,
    errorCode: undefined,
    deadlineHit: undefined,
    usage: undefined,
    costNanoUsd: 0,
    costSource: "none",
    tableCostNanoUsd: undefined,
    reservedNanoUsd: 0,
    maxTokens,
    generationId: undefined,
    settlement: "none",
    timings: {
      startedAt: attempt.run.clock.now(),
      reserveMs: 0,
      headersMs: undefined,
      firstContentMs: undefined,
      settleMs: undefined,
      totalMs: 0,
    },
  }
}

/** Set aside, refused with what is left, or broken. */
type Reserved = { ok: true; hold: Hold } | Refused | Wrong

async function reserve(ask: Ask, plan: Plan, receipt: AttemptReceipt, attempt: Attempt): Promise<Reserved> {
  const { race } = attempt
  if (race.error !== undefined) return wrong(race.error)
  const reserving = attempt.run.purse.reserve({
    id: receipt.id,
    amountNanoUsd: plan.boundNanoUsd,
    tokens: plan.inputUpperBound + plan.maxTokens,
    draft: draftOf(ask, receipt, plan.boundNanoUsd),
  })
  try {
    return await race.race(reserving)
  } catch (error) {
    // What is still set aside after we left is given back.
    reserving
      .then((late) => {
        if (late.ok) return late.hold.release(entryOf(ask, receipt, undefined))
      })
      // Not told apart from a store that is down: the lease ends by itself.
      .catch(() => {})
    return wrong(P2Error.isInstance(error) ? error : new UnexpectedError(error))
  }
}

/** The schema's own code may wait for something: it has what is left of the deadline. */
function judge(ask: Ask, plan: Plan, sent: Sent, { race }: Attempt): Judgement<unknown> | Promise<Judgement<unknown>> {
  const { maxTokens } = plan
  const judged = judgeAnswer(sent.completion, {
    compiled: ask.compiled,
    maxTokens,
    provider: ask.route.provider.name,
  })
  if (!(judged instanceof Promise)) return judged
  return race.race(judged).catch((error: unknown) => wrong(race.error ?? new UnexpectedError(error)))
}

interface Wrong {
  ok: false
  error: P2Error
}

function wrong(error: P2Error): Wrong {
  return { ok: false, error }
}

function fillTimes(receipt: AttemptReceipt, sent: Sent, startedAt: number): void {
  const { headersAt, firstContentAt } = sent
  if (headersAt !== undefined) receipt.timings.headersMs = headersAt - startedAt
  if (firstContentAt !== undefined) receipt.timings.firstContentMs = firstContentAt - startedAt
}

function fill(receipt: AttemptReceipt, ask: Ask, plan: Plan, sent: Sent, judged: Judgement<unknown>): void {
  const { completion } = sent
  receipt.status = judged.ok ? "succeeded" : sent.owed === "unsent" ? "released" : "failed"
  receipt.httpStatus = sent.httpStatus
  receipt.finishReason = completion.finishReason
  receipt.modelUsed = completion.model
  receipt.generationId = completion.generationId
  if (!judged.ok) {
    receipt.errorCode = judged.error.code
    receipt.deadlineHit =
      "deadline" in judged.error ? (judged.error.deadline as AttemptReceipt["deadlineHit"]) : undefined
  }
  receipt.usage = completion.usage?.usage
  const cost = costOf(ask, completion, completion.usage)
  if (cost !== undefined) {
    receipt.costNanoUsd = cost.nanoUsd
    receipt.costSource = cost.source
    receipt.tableCostNanoUsd = cost.tableNanoUsd
  } else if (sent.owed === "unknown" || sent.owed === "reported") {
    // A provider that did not keep to what was sent may have said of more than the bound.
    const least = costOf(ask, completion, completion.leastUsage)?.nanoUsd ?? 0
    receipt.costNanoUsd = Math.max(plan.boundNanoUsd, least)
    receipt.costSource = "bound"
  }
}

/** Undefined when nothing was reported, or something that the price list cannot price (it is not free, then). */
function costOf(ask: Ask, completion: Completion, usage: ReportedUsage | undefined): KnownCost | undefined {
  if (usage === undefined) return undefined
  try {
    return ask.route.costOf(usage, completion.serviceTier)
  } catch {
    return undefined
  }
}

/** Whatever the budget throws, the answer is not taken: what it could not be told is `pending`. */
async function settle(hold: Hold, ask: Ask, receipt: AttemptReceipt, attempt: Attempt, text: string) {
  const content = attempt.run.recordContent ? { prompt: ask.messages, answer: text } : undefined
  const entry = entryOf(ask, receipt, content)
  try {
    const settling = receipt.status === "released" ? hold.release(entry) : hold.settle(receipt.costNanoUsd, entry)
    return (await settling).status === "pending" ? "pending" : "settled"
  } catch {
    return "pending"
  }
}
