import type { Reservation, ReserveOutcome } from "@p2/budget"
import { P2Error } from "@p2/core"
import { type DeadlineExceededError, UnexpectedError } from "../client-errors"
import type { Attempt } from "./attempt"
import { leftIn } from "./budget-info-of"
import type { Completion } from "./completion"
import type { Left } from "./estimate"
import { type Judgement, judgeAnswer, wrong } from "./judge-answer"
import type { KnownCost } from "./route"
import { type Sent, send } from "./send"
import { draftOf, entryOf } from "./usage-entry"
import type { ReportedUsage } from "./usage-from-wire"

export type AttemptOutcome = { ok: true; answer: unknown; text: string } | Failure

/** `text` is what the model said, where it was asked; `left` is there when a limit said no: what its scopes have. */
export interface Failure {
  ok: false
  error: P2Error
  text?: string
  left?: Left | undefined
}

/** One attempt: reserve, send, judge, settle. Two calls to the store when it is admitted at once. Never rejects. */
export async function runAttempt(attempt: Attempt): Promise<AttemptOutcome> {
  const { plan, race, receipt, startedAt } = attempt
  const { timings } = receipt
  const reserved = await reserve(attempt)
  timings.reserveMs = performance.now() - startedAt
  timings.totalMs = timings.reserveMs
  if (!reserved.ok) return reserved
  receipt.reservedNanoUsd = plan.boundNanoUsd
  const sent = await send(attempt)
  const { text } = sent.completion
  let judged = sent.error === undefined ? judgeAnswer(attempt, sent.completion) : wrong(sent.error)
  // The schema's own code may wait for something: it has what is left of the deadline.
  if (judged instanceof Promise)
    judged = await race.race(judged).catch((error: unknown) => wrong(race.error ?? new UnexpectedError(error)))
  fill(attempt, sent, judged)
  const settlingAt = performance.now()
  timings.totalMs = settlingAt - startedAt
  receipt.settlement = await settle(reserved.reservation, attempt, text)
  timings.settleMs = performance.now() - settlingAt
  timings.totalMs += timings.settleMs
  return Object.assign(judged, { text })
}

/** Sets money aside in all scopes or in none: one call to the store. */
async function reserve({ ask, plan, receipt, race, run }: Attempt): Promise<ReserveOutcome | Failure> {
  if (race.error !== undefined) return wrong(race.error)
  const draft = draftOf(ask, receipt, plan.boundNanoUsd)
  const { userId, clientId, tags, model, requestId } = draft
  const reserving = run.budget.reserve({
    id: receipt.id,
    subject: { userId, clientId, tags, model, requestId },
    amount: { nanoUsd: plan.boundNanoUsd, tokens: plan.input.upperBound + plan.maxTokens },
    limits: run.limits,
    draft,
  })
  try {
    const held = await race.race(reserving)
    return held.ok ? held : { ok: false, error: held.error, left: leftIn(held.error.all) }
  } catch (error) {
    // What is still set aside after we left is given back, before the client is closed.
    run
      .keep(reserving.then<unknown>((late) => late.ok && late.reservation.release(entryOf(ask, receipt))))
      // Not told apart from a store that is down: the lease ends by itself.
      .catch(() => {})
    return wrong(P2Error.isInstance(error) ? error : new UnexpectedError(error))
  }
}

function fill(attempt: Attempt, { completion, owed }: Sent, judged: Judgement): void {
  const { receipt, plan } = attempt
  receipt.status = judged.ok ? "succeeded" : owed === "unsent" ? "released" : "failed"
  receipt.finishReason = completion.finishReason
  receipt.modelUsed = completion.model
  receipt.generationId = completion.generationId
  if (!judged.ok) {
    receipt.errorCode = judged.error.code
    receipt.deadlineHit = (judged.error as Partial<DeadlineExceededError>).deadline
  }
  receipt.usage = completion.usage?.usage
  const cost = costOf(attempt, completion, completion.usage)
  if (cost !== undefined) {
    receipt.costNanoUsd = cost.nanoUsd
    receipt.costSource = cost.source
    receipt.tableCostNanoUsd = cost.tableNanoUsd
  } else if (owed === "unknown") {
    // A provider that did not keep to what was sent may have said of more than the bound.
    const least = costOf(attempt, completion, completion.leastUsage)?.nanoUsd ?? 0
    receipt.costNanoUsd = Math.max(plan.boundNanoUsd, least)
    receipt.costSource = "bound"
  }
}

/** Undefined when nothing was reported, or something that the price list cannot price (it is not free, then). */
function costOf(
  { ask }: Attempt,
  { serviceTier }: Completion,
  usage: ReportedUsage | undefined,
): KnownCost | undefined {
  if (usage === undefined) return undefined
  try {
    return ask.route.costOf(usage, serviceTier)
  } catch {
    return undefined
  }
}

/**
 * Replaces the reservation by the truth: one call to the store, with the usage entry. Whatever the budget throws, the
 * answer is not taken: what it could not be told is `pending`, and is tried again in the background.
 */
async function settle(reservation: Reservation, { ask, plan, receipt, run }: Attempt, text: string) {
  const entry = entryOf(ask, receipt, run.recordContent ? { prompt: ask.messages, answer: text } : undefined)
  const { status, costNanoUsd: nanoUsd, costSource, usage } = receipt
  // Unknown usage costs what was set aside, in tokens as in money.
  const { inputTokens = 0, outputTokens = 0 } =
    costSource === "bound" ? { inputTokens: plan.input.upperBound, outputTokens: plan.maxTokens } : (usage ?? {})
  try {
    const settling =
      status === "released"
        ? reservation.release(entry)
        : reservation.settle({ nanoUsd, tokens: inputTokens + outputTokens }, entry)
    return (await settling).status === "pending" ? "pending" : "settled"
  } catch {
    return "pending"
  }
}
