import { randomBytes } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import { countTokens } from "@p2/tokens"
import { BadRequest } from "../chat-request"
import { delayAnswer } from "../interruption"
import { EMBEDDING_RATES } from "../responses/rates"
import { readBody, remember, type ServerContext } from "../server-context"

type SendError = (status: number, error: Record<string, unknown>, headers?: Record<string, string>) => void

/** Answers a request to the embeddings API. */
export async function handleEmbeddings(
  context: ServerContext,
  request: IncomingMessage,
  response: ServerResponse,
  sendError: SendError,
): Promise<void> {
  const body = JSON.parse(await readBody(request)) as Record<string, unknown>
  remember(context, request, body)
  const model = String(body.model)
  const rate = EMBEDDING_RATES[model]
  if (rate === undefined)
    return sendError(404, { message: `The model \`${model}\` does not exist.`, type: "invalid_request_error" })
  const counts = inputsOf(body.input).map(tokensOf)
  context.calls += 1
  const fault = context.faults.take({ model, body, number: context.calls })
  await delayAnswer(response, fault, context.options)
  if (response.destroyed || response.socket?.destroyed) return
  const reject = () =>
    sendError(
      fault.status!,
      { message: `Fault of the local provider: status ${fault.status}.`, ...fault.error },
      fault.headers,
    )
  if (fault.status !== undefined && !fault.billed) return reject()
  const tokens = counts.reduce((sum, count) => sum + count, 0)
  const line = context.ledger.billUnits(
    {
      id: `emb_${randomBytes(12).toString("hex")}`,
      model,
      api: "openai",
      promptTokens: tokens,
      cachedTokens: 0,
      completionTokens: 0,
      reported: false,
      status: fault.status ?? 200,
      clientRequestId: undefined,
    },
    [{ kind: "input", count: tokens, picoUsdPerUnit: rate }],
  )
  if (fault.status !== undefined) return reject()
  if (fault.cut !== undefined) return void response.destroy()
  const vector = [0.1, 0.2, 0.3, 0.4]
  const embedding =
    body.encoding_format === "base64" ? Buffer.from(Float32Array.from(vector).buffer).toString("base64") : vector
  const data = counts.map((_, index) => ({ object: "embedding", index, embedding }))
  const usage = fault.noUsage ? {} : { usage: { prompt_tokens: tokens, total_tokens: tokens } }
  line.reported = !fault.noUsage
  response
    .writeHead(200, { "content-type": "application/json", ...fault.headers })
    .end(JSON.stringify({ object: "list", data, model, ...usage }))
}

/** Each text or token array of the input. */
function inputsOf(input: unknown): (string | number[])[] {
  if (typeof input === "string") return [input]
  if (!Array.isArray(input) || input.length === 0) throw new BadRequest("'$.input' is invalid.")
  return typeof input[0] === "number" ? [input as number[]] : (input as (string | number[])[])
}

function tokensOf(input: string | number[]): number {
  return typeof input === "string" ? countTokens(input, { encoding: "cl100k_base" }) : input.length
}
