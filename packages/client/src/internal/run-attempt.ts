import { P2Error } from "@p2/core"
import { type DeadlineExceededError, UnexpectedError } from "../client-errors"
import type { Attempt } from "./attempt"
import type { Completion } from "./completion"
import type { Left } from "./estimate"
import { type Judgement, judgeAnswer } from "./judge-answer"
import type { Hold, Refused } from "./purse"
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
  const { plan, receipt, startedAt } = attempt
  const { timings } = receipt
  const reserved = await reserve(attempt)
  timings.reserveMs = performance.now() - startedAt
  timings.totalMs = timings.reserveMs
  if (!reserved.ok) return reserved
  receipt.reservedNanoUsd = plan.boundNanoUsd
  const sent = await send(attempt)
  const { text } = sent.completion
  let judged = sent.error === undefined ? judge(attempt, sent) : wrong(sent.error)
  if (judged instanceof Promise) judged = await judged
  fill(attempt, sent, judged)
  const settlingAt = performance.now()
  timings.totalMs = settlingAt - startedAt
  receipt.settlement = await settle(reserved.hold, attempt, text)
  timings.settleMs = performance.now() - settlingAt
  timings.totalMs += timings.settleMs
  return Object.assign(judged, { text })
}

/** Set aside, refused with what is left, or broken. */
type Reserved = { ok: true; hold: Hold } | Refused | Wrong

async function reserve({ ask, plan, receipt, race, run }: Attempt): Promise<Reserved> {
  if (race.error !== undefined) return wrong(race.error)
  const reserving = run.purse.reserve({
    id: receipt.id,
    amountNanoUsd: plan.boundNanoUsd,
    tokens: plan.input.upperBound + plan.maxTokens,
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
function judge(attempt: Attempt, { completion }: Sent): Judgement<unknown> | Promise<Judgement<unknown>> {
  const { ask, race, plan } = attempt
  const { maxTokens } = plan
  const judged = judgeAnswer(completion, { compiled: ask.compiled, maxTokens, provider: ask.route.provider.name })
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

function fill(attempt: Attempt, { completion, owed }: Sent, judged: Judgement<unknown>): void {
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

/** Whatever the budget throws, the answer is not taken: what it could not be told is `pending`. */
async function settle(hold: Hold, { ask, receipt, run }: Attempt, text: string) {
  const entry = entryOf(ask, receipt, run.recordContent ? { prompt: ask.messages, answer: text } : undefined)
  try {
    const settling = receipt.status === "released" ? hold.release(entry) : hold.settle(receipt.costNanoUsd, entry)
    return (await settling).status === "pending" ? "pending" : "settled"
  } catch {
    return "pending"
  }
}
