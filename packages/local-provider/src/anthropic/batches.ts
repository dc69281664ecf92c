import { randomBytes } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import { inputStrings } from "../batches/input-strings"
import { readBody, remember, type ServerContext } from "../server-context"
import { densestNormalizedCount, usualCount } from "../text-count"
import { findClaude } from "./rates"
import type { StoredMessageBatch } from "./stored-batch"

type Fields = Record<string, unknown>

/** Answers a request to the Message Batches API. A batch ends with its second poll. False: there is no such batch. */
export async function handleMessageBatches(
  context: ServerContext,
  request: IncomingMessage,
  response: ServerResponse,
  id: string | undefined,
  action: string | undefined,
): Promise<boolean> {
  if (id === undefined) {
    const body = JSON.parse(await readBody(request)) as { requests: Fields[] }
    remember(context, request, body as unknown as Fields)
    context.calls += 1
    const fault = context.faults.take({ model: "", body: body as unknown as Fields, number: context.calls })
    const batch: StoredMessageBatch = {
      id: `msgbatch_${randomBytes(12).toString("hex")}`,
      requests: body.requests,
      status: "in_progress",
      pollsLeft: 1,
      fault,
      results: [],
    }
    context.messageBatches.set(batch.id, batch)
    sendJson(response, batchBody(batch))
    return true
  }
  const batch = context.messageBatches.get(id)
  if (batch === undefined) return false
  if (action === "results") {
    response.writeHead(200, { "content-type": "application/x-jsonl" })
    response.end(batch.results.map((line) => `${JSON.stringify(line)}\n`).join(""))
    return true
  }
  if (action === "cancel" && batch.pollsLeft > 0) batch.status = "canceling"
  else advance(context, batch)
  sendJson(response, batchBody(batch))
  return true
}

function advance(context: ServerContext, batch: StoredMessageBatch): void {
  if (batch.status === "ended") return
  if (batch.pollsLeft > 0 && batch.status !== "canceling") {
    batch.pollsLeft -= 1
    return
  }
  // A cancelled batch has run the first half of its calls.
  const ran = batch.status === "canceling" ? Math.floor(batch.requests.length / 2) : batch.requests.length
  batch.results = batch.requests.map(({ custom_id, params }, index) => ({
    custom_id,
    result: index < ran ? run(context, batch, params as Fields) : { type: "canceled" },
  }))
  batch.status = "ended"
}

/** Runs a call at half the price. */
function run({ ledger }: ServerContext, { fault }: StoredMessageBatch, params: Fields): Fields {
  const text = JSON.stringify(params.messages)
  const model = findClaude(String(params.model))!
  if (text.includes("fail this call"))
    return { type: "errored", error: { type: "error", error: { type: "api_error" } } }
  const count = fault.densestTokens ? densestNormalizedCount : usualCount
  const input = inputStrings(params).reduce((sum, each) => sum + count(each) + 3, 3)
  const output = fault.fillOutput ? Number(params.max_tokens) : Math.min(Number(params.max_tokens), 12)
  const id = `msg_${randomBytes(12).toString("hex")}`
  ledger.billUnits(
    {
      id,
      model: String(params.model),
      api: "anthropic",
      promptTokens: input,
      cachedTokens: 0,
      completionTokens: output,
      reported: !fault.noUsage,
      status: 200,
      clientRequestId: undefined,
    },
    [
      { kind: "input", count: input, picoUsdPerUnit: model.rates.input / 2 },
      { kind: "output", count: output, picoUsdPerUnit: model.rates.output / 2 },
    ],
  )
  const usage = { input_tokens: input, output_tokens: output, service_tier: "batch" }
  const message = {
    id,
    type: "message",
    role: "assistant",
    model: params.model,
    content: [{ type: "text", text: "I am born." }],
    stop_reason: "end_turn",
    ...(!fault.noUsage && { usage }),
  }
  return { type: "succeeded", message }
}

function batchBody({ id, status, results, requests }: StoredMessageBatch): Fields {
  const countOf = (type: string) => results.filter(({ result }) => (result as Fields).type === type).length
  return {
    id,
    type: "message_batch",
    processing_status: status,
    request_counts: {
      processing: status === "ended" ? 0 : requests.length,
      succeeded: countOf("succeeded"),
      errored: countOf("errored"),
      canceled: countOf("canceled"),
      expired: 0,
    },
    results_url: status === "ended" ? `/v1/messages/batches/${id}/results` : null,
  }
}

function sendJson(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body))
}
