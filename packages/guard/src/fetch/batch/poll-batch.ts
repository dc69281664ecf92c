import type { Reservation } from "@p2/budget"
import { isRecord, parseJson } from "@p2/core"
import type { Charge } from "../../charge/charge"
import type { Guard } from "../guard-options"
import { readWhole, responseOf } from "../read-response"
import { settleResumed } from "../settle-resumed"
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

async function settleBatch(guard: Guard, poll: PolledBatch, batch: Batch): Promise<void> {
  const { idempotencyKey, provider, format } = poll.described
  await settleResumed(guard, { idempotencyKey, provider, subject: poll.subject }, async ({ amount }) => {
    const output = await readOutput(guard, poll, batch)
    // A file that does not arrive is read by a later poll.
    if (output === undefined) return undefined
    const { inputTokens, outputTokens, model } = output
    return {
      charge: chargeOf(output, amount),
      status: format.isCompleted(batch) ? "succeeded" : "failed",
      model,
      generationId: String(batch.id).slice(0, 200),
      tokens: { inputTokens, outputTokens },
    }
  })
}

function chargeOf(
  { costNanoUsd, leastNanoUsd, inputTokens, outputTokens }: BatchOutput,
  reserved: Reservation["amount"],
): Charge {
  const isKnown = costNanoUsd !== undefined
  const tokens = inputTokens + outputTokens
  return {
    status: "charged",
    costNanoUsd: isKnown ? costNanoUsd : Math.max(reserved.nanoUsd ?? 0, leastNanoUsd),
    tokens: isKnown ? tokens : Math.max(reserved.tokens ?? 0, tokens),
    costSource: isKnown ? (costNanoUsd === 0 ? "none" : "table") : "bound",
    tableCostNanoUsd: undefined,
    inDoubt: !isKnown,
    health: "unknown",
  }
}
