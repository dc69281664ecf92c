import { isBudgetError, type Reservation } from "@p2/budget"
import { isRecord, parseJson } from "@p2/core"
import { settleAttempt } from "../../charge/attempt"
import type { Charge } from "../../charge/charge"
import { started } from "../background"
import type { Guard } from "../guard-options"
import { readWhole, responseOf } from "../read-response"
import { inCurrentScope, mergeSubjects } from "../scope/scope"
import { chargedFields, reportAttempt } from "../settle-call"
import { type BatchOutput, readOutput } from "./batch-output"
import type { PolledBatch } from "./polled-batch"

type Batch = Readonly<Record<string, unknown>>

/** Sends a poll of a batch. If the batch has ended, its output file settles the reservation of the call that started it. */
export async function pollBatch(guard: Guard, poll: PolledBatch): Promise<Response> {
  const response = await guard.fetch(...poll.read.argumentsFor({ headers: poll.headers }))
  if (!response.ok) return response
  const body = await readWhole(response.body)
  const batch = parseJson(new TextDecoder().decode(body.bytes))
  if (isRecord(batch) && poll.described.format.hasEnded(batch)) await settleBatch(guard, poll, batch)
  return responseOf(response, body)
}

/** Never rejects for the budget: the answer matters more, and an unsettled reservation is charged when its lease ends. */
async function settleBatch(guard: Guard, poll: PolledBatch, batch: Batch): Promise<void> {
  const { idempotencyKey } = poll.described
  const { budget, subject } = inCurrentScope(guard.budget, guard.subject)
  try {
    const owner = mergeSubjects(subject, poll.subject)
    const reservation = started.get(idempotencyKey) ?? (await budget.resume(idempotencyKey, { subject: owner }))
    const output = await readOutput(guard, poll, batch)
    // A file that does not arrive is read by a later poll.
    if (output === undefined) return
    await settle(guard, poll, { reservation, batch, output })
    started.delete(idempotencyKey)
  } catch (error) {
    // An earlier poll settled it, it was never reserved here, or the store failed.
    if (!isBudgetError(error)) throw error
    if (error.code === "reservation-resolved") started.delete(idempotencyKey)
  }
}

async function settle(
  guard: Guard,
  { described }: PolledBatch,
  { reservation, batch, output }: { reservation: Reservation; batch: Batch; output: BatchOutput },
): Promise<void> {
  const { nanoUsd: reservedNanoUsd = 0, tokens: reservedTokens = 0 } = reservation.amount
  const { costNanoUsd, leastNanoUsd, inputTokens, outputTokens, model } = output
  const isKnown = costNanoUsd !== undefined
  const tokens = inputTokens + outputTokens
  const charge: Charge = {
    status: "charged",
    costNanoUsd: isKnown ? costNanoUsd : Math.max(reservedNanoUsd, leastNanoUsd),
    tokens: isKnown ? tokens : Math.max(reservedTokens, tokens),
    costSource: isKnown ? (costNanoUsd === 0 ? "none" : "table") : "bound",
    tableCostNanoUsd: undefined,
    inDoubt: !isKnown,
    health: "unknown",
  }
  const { provider, format } = described
  const status = format.isCompleted(batch) ? "succeeded" : "failed"
  const settlement = await settleAttempt({ reservation }, charge, {
    status,
    provider,
    modelUsed: model,
    generationId: String(batch.id).slice(0, 200),
    tokens: { inputTokens, outputTokens },
  })
  if (settlement.status === "settled" && settlement.replayed) return
  const called = { provider, model: model ?? "unknown" }
  reportAttempt(guard, called, {
    status,
    httpStatus: 200,
    reservedNanoUsd,
    limits: reservation.limits,
    ...chargedFields(guard, called, { charge, reservedNanoUsd, settlement }),
    inputTokens,
    outputTokens,
  })
}
