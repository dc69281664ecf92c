import { randomBytes } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import { countTokens } from "@p2/tokens"
import type { BilledUnits } from "../ledger"
import { readMediaRequest } from "../media/fields"
import { countText } from "../models"
import { EMBEDDING_RATES, findResponsesModel } from "../responses/rates"
import { readBody, remember, type ServerContext } from "../server-context"
import { inputStrings } from "./input-strings"
import type { StoredBatch } from "./stored-batch"

type SendError = (status: number, error: Record<string, unknown>, headers?: Record<string, string>) => void
type Fields = Record<string, unknown>

const HANDLED = /^\/(files|batches)(\/|$)/

/** Whether the path belongs to a file or a batch. */
export function isBatchPath(path: string): boolean {
  return HANDLED.test(path)
}

/** Answers a request to the Files or Batch API. A batch ends with its second poll. */
export async function handleBatches(
  context: ServerContext,
  request: IncomingMessage,
  response: ServerResponse,
  { path, sendError }: { path: string; sendError: SendError },
): Promise<void> {
  const [, kind, id, action] = path.split("/")
  const notFound = () => sendError(404, { message: `No such object: ${id}.`, type: "invalid_request_error" })
  if (kind === "files") {
    if (id === undefined) return upload(context, request, response)
    const text = context.files.get(id)
    if (text === undefined) return notFound()
    if (action === "content") return void response.writeHead(200, { "content-type": "application/jsonl" }).end(text)
    return sendJson(response, { id, object: "file", bytes: text.length })
  }
  if (id === undefined) return create(context, request, response, sendError)
  const batch = context.batches.get(id)
  if (batch === undefined) return notFound()
  if (action === "cancel" && batch.pollsLeft > 0) batch.status = "cancelling"
  else advance(context, batch)
  sendJson(response, batchBody(batch))
}

async function upload(context: ServerContext, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { fields, files } = await readMediaRequest(request)
  remember(context, request, fields)
  const id = idOf("file")
  context.files.set(id, (await files[0]?.file.text()) ?? "")
  sendJson(response, { id, object: "file", purpose: fields.purpose, bytes: files[0]?.file.size ?? 0 })
}

async function create(
  context: ServerContext,
  request: IncomingMessage,
  response: ServerResponse,
  sendError: SendError,
): Promise<void> {
  const body = JSON.parse(await readBody(request)) as Fields
  remember(context, request, body)
  context.calls += 1
  const fault = context.faults.take({ model: "", body, number: context.calls })
  if (fault.status !== undefined)
    return sendError(fault.status, { message: "Fault of the local provider.", ...fault.error }, fault.headers)
  const isKnown = context.files.has(String(body.input_file_id))
  const id = idOf("batch")
  const batch: StoredBatch = {
    id,
    request: body,
    status: isKnown ? "validating" : "failed",
    pollsLeft: 1,
    fault,
    completed: 0,
    failed: 0,
  }
  context.batches.set(id, batch)
  sendJson(response, batchBody(batch))
}

function advance(context: ServerContext, batch: StoredBatch): void {
  if (batch.outputFileId !== undefined || batch.status === "failed" || batch.status === "cancelled") return
  if (batch.pollsLeft > 0 && batch.status !== "cancelling") {
    batch.pollsLeft -= 1
    batch.status = "in_progress"
    return
  }
  const lines = (context.files.get(String(batch.request.input_file_id)) ?? "").split("\n").filter(Boolean)
  // A cancelled batch has run the first half of its calls.
  const ran = batch.status === "cancelling" ? lines.slice(0, Math.floor(lines.length / 2)) : lines
  const output = ran.map((line) => run(context, batch, JSON.parse(line) as Fields)).filter((line) => line !== undefined)
  batch.completed = output.length
  batch.failed = ran.length - output.length
  batch.status = batch.status === "cancelling" ? "cancelled" : "completed"
  if (output.length === 0) return
  batch.outputFileId = idOf("file")
  context.files.set(batch.outputFileId, output.map((line) => `${JSON.stringify(line)}\n`).join(""))
}

/** Runs a call at half the price. Undefined: it failed, and is in the error file. */
function run({ ledger }: ServerContext, { fault, request }: StoredBatch, line: Fields): Fields | undefined {
  const body = line.body as Fields
  const model = String(body.model)
  const id = idOf("batch_req")
  const isEmbedding = request.endpoint === "/v1/embeddings"
  const rates = findResponsesModel(model)?.tiers.default
  const input = isEmbedding
    ? countTokens(String(body.input), { encoding: "cl100k_base" })
    : inputStrings(body).reduce((sum, text) => sum + countText(text) + 3, 3)
  const limit = Number(body.max_completion_tokens ?? body.max_output_tokens ?? 500)
  const output = isEmbedding ? 0 : fault.fillOutput ? limit : Math.min(limit, 12)
  const units: BilledUnits[] = isEmbedding
    ? [{ kind: "input", count: input, picoUsdPerUnit: EMBEDDING_RATES[model]! / 2 }]
    : [
        { kind: "input", count: input, picoUsdPerUnit: rates!.input / 2 },
        { kind: "output", count: output, picoUsdPerUnit: rates!.output / 2 },
      ]
  if (String(JSON.stringify(body)).includes("fail this call")) return undefined
  const call = { id, model, api: "openai" as const, promptTokens: input, cachedTokens: 0, completionTokens: output }
  ledger.billUnits({ ...call, reported: !fault.noUsage, status: 200, clientRequestId: undefined }, units)
  const answer = answerOf(String(request.endpoint), { id, model, input, output, hasUsage: !fault.noUsage })
  return { id, custom_id: line.custom_id, response: { status_code: 200, request_id: id, body: answer }, error: null }
}

interface BatchAnswer {
  id: string
  model: string
  input: number
  output: number
  hasUsage: boolean
}

function answerOf(endpoint: string, { id, model, input, output, hasUsage }: BatchAnswer): Fields {
  const total = input + output
  if (endpoint === "/v1/embeddings") {
    const usage = hasUsage ? { usage: { prompt_tokens: input, total_tokens: input } } : {}
    return { object: "list", data: [{ object: "embedding", index: 0, embedding: [0.1] }], model, ...usage }
  }
  if (endpoint === "/v1/responses") {
    const content = [{ type: "output_text", text: "I am born.", annotations: [] }]
    const item = { type: "message", id: "msg", role: "assistant", status: "completed", content }
    const usage = { input_tokens: input, output_tokens: output, total_tokens: total }
    return { id, object: "response", status: "completed", model, output: [item], usage: hasUsage ? usage : null }
  }
  const message = { role: "assistant", content: "I am born." }
  const usage = { prompt_tokens: input, completion_tokens: output, total_tokens: total }
  return {
    id,
    object: "chat.completion",
    model,
    choices: [{ index: 0, message, finish_reason: "stop" }],
    ...(hasUsage && { usage }),
  }
}

function batchBody({ id, request, status, outputFileId, completed, failed }: StoredBatch): Fields {
  return {
    id,
    object: "batch",
    status,
    endpoint: request.endpoint,
    input_file_id: request.input_file_id,
    completion_window: request.completion_window,
    created_at: 1,
    output_file_id: outputFileId ?? null,
    error_file_id: null,
    request_counts: { total: completed + failed, completed, failed },
  }
}

function idOf(kind: string): string {
  return `${kind}_${randomBytes(12).toString("hex")}`
}

function sendJson(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body))
}
