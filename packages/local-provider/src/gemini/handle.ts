import { randomBytes } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import { BadRequest } from "../chat-request"
import type { Fault } from "../faults"
import { delayAnswer } from "../interruption"
import type { BilledCall, BilledUnits } from "../ledger"
import { readBody, remember, type ServerContext } from "../server-context"
import { densestCount, usualCount } from "../text-count"
import { answerGemini } from "./answer"
import { billGemini } from "./bill"
import { countGeminiInput, totalInput } from "./count"
import { sendGeminiError } from "./errors"
import { findGemini, GEMINI_MODELS, type GeminiModel } from "./rates"
import { type Content, camelCase, type GeminiRequest, partsOf, readGeminiRequest } from "./request"
import { type Delivery, sendGemini } from "./send"

/** `…/models/{model}:{method}`, of the Gemini API and Vertex AI. */
const METHOD = /^\/v1(?:beta\d?)?\/(?:projects\/[^/]+\/locations\/[^/]+\/publishers\/google\/)?models\/([^/:]+):(\w+)$/

/** One call of a model's method. */
interface MethodCall {
  context: ServerContext
  request: IncomingMessage
  response: ServerResponse
  name: string
  model: GeminiModel
  text: string
}

/** Answers a request to the Gemini API. @param url its path is without the prefix of the API */
export async function handleGemini(
  context: ServerContext,
  request: IncomingMessage,
  response: ServerResponse,
  { path, query }: { path: string; query: URLSearchParams },
): Promise<void> {
  const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1]
  const key = request.headers["x-goog-api-key"] ?? query.get("key") ?? bearer
  if (typeof key !== "string" || key === "" || (context.options.apiKey ?? key) !== key)
    return sendGeminiError(response, 403, "API key not valid. Please pass a valid API key.")
  if (request.method === "GET" && /^\/v1(beta)?\/models$/.test(path)) return sendModels(response)
  const [, name, method] = METHOD.exec(path) ?? []
  if (request.method !== "POST" || name === undefined)
    return sendGeminiError(response, 404, `Requested entity was not found: ${path}`)
  const model = findGemini(name)
  if (model === undefined) return sendGeminiError(response, 404, `models/${name} is not found for API version v1beta`)
  const call = { context, request, response, name, model, text: await readBody(request) }
  try {
    await dispatch(call, method!, query)
  } catch (error) {
    if (!(error instanceof BadRequest)) throw error
    sendGeminiError(response, 400, error.message)
  }
}

async function dispatch(call: MethodCall, method: string, query: URLSearchParams): Promise<void> {
  switch (method) {
    case "generateContent":
      return generate(call, "json")
    case "streamGenerateContent":
      return generate(call, query.get("alt") === "sse" ? "events" : "array")
    case "countTokens":
      return countTokens(call)
    case "embedContent":
    case "batchEmbedContents":
      return embed(call)
    default:
      return sendGeminiError(call.response, 404, `Method not found: ${method}`)
  }
}

async function generate(call: MethodCall, delivery: Delivery): Promise<void> {
  const { context, response, name, model, text } = call
  const body = readGeminiRequest(text)
  const fault = await nextFault(call, body)
  if (fault === undefined) return
  const input = countGeminiInput(body, name, fault.densestTokens ? densestCount : usualCount)
  if (totalInput(input) > model.contextWindow)
    return sendGeminiError(response, 400, `The input token count exceeds the maximum of ${model.contextWindow}.`)
  const answer = answerGemini(body, model, input, fault)
  const tokens = {
    promptTokens: totalInput(input) + answer.toolInput,
    cachedTokens: input.cached,
    completionTokens: answer.outputTokens + answer.thoughtTokens,
  }
  const line = bill(call, fault, tokens, billGemini(model, answer))
  if (fault.status !== undefined) return reject(response, fault)
  await sendGemini(response, { answer, line, fault, ledger: context.ledger, delivery })
}

/** Takes the fault of the call; undefined if an error that is not billed was sent, or the caller has disconnected. */
async function nextFault(call: MethodCall, body: Record<string, unknown>): Promise<Fault | undefined> {
  const { context, request, response, name } = call
  remember(context, request, body)
  context.calls += 1
  const fault = context.faults.take({ model: name, body, number: context.calls })
  await delayAnswer(response, fault, context.options)
  if (response.destroyed || response.socket?.destroyed) return undefined
  if (fault.status === undefined || fault.billed) return fault
  reject(response, fault)
  return undefined
}

function reject(response: ServerResponse, { status = 500, error, headers }: Fault): void {
  sendGeminiError(response, status, error?.message ?? "Fault of the local provider.", headers)
}

function bill(
  { context, request, name }: MethodCall,
  fault: Fault,
  tokens: Pick<BilledCall, "promptTokens" | "cachedTokens" | "completionTokens">,
  units: readonly BilledUnits[],
): BilledCall {
  const clientRequestId = request.headers["x-client-request-id"]
  return context.ledger.billUnits(
    {
      id: randomBytes(12).toString("hex"),
      model: name,
      api: "gemini",
      ...tokens,
      reported: false,
      status: fault.status ?? 200,
      clientRequestId: typeof clientRequestId === "string" ? clientRequestId : undefined,
    },
    units,
  )
}

/** Embeddings are billed by their input. */
async function embed(call: MethodCall): Promise<void> {
  const { response, text, model } = call
  const body = camelCase(JSON.parse(text)) as { content?: Content; requests?: { content: Content }[] }
  const fault = await nextFault(call, body as Record<string, unknown>)
  if (fault === undefined) return
  const contents = body.requests?.map(({ content }) => content) ?? [body.content ?? {}]
  const count = fault.densestTokens ? densestCount : usualCount
  const texts = contents.flatMap((content) => partsOf(content).map((part) => String(part.text ?? "")))
  const promptTokens = texts.reduce((sum, each) => sum + Math.min(count(each), model.contextWindow), 0)
  const units = [{ kind: "input", count: promptTokens, picoUsdPerUnit: model.rates.input }]
  const line = bill(call, fault, { promptTokens, cachedTokens: 0, completionTokens: 0 }, units)
  if (fault.status !== undefined) return reject(response, fault)
  const embeddings = contents.map(() => ({ values: [0.1, 0.2, 0.3] }))
  response.writeHead(200, { "content-type": "application/json; charset=UTF-8" })
  const usage = fault.noUsage
    ? {}
    : { usageMetadata: { promptTokenCount: promptTokens, totalTokenCount: promptTokens } }
  line.reported = !fault.noUsage
  response.end(
    JSON.stringify({ ...(body.requests === undefined ? { embedding: embeddings[0] } : { embeddings }), ...usage }),
  )
}

function countTokens({ response, text, name }: MethodCall): void {
  const body = camelCase(JSON.parse(text)) as GeminiRequest & { generateContentRequest?: GeminiRequest }
  const input = countGeminiInput(body.generateContentRequest ?? body, name, usualCount)
  response.writeHead(200, { "content-type": "application/json; charset=UTF-8" })
  response.end(JSON.stringify({ totalTokens: totalInput(input) }))
}

function sendModels(response: ServerResponse): void {
  const models = GEMINI_MODELS.map((name) => ({
    name: `models/${name}`,
    supportedGenerationMethods: ["generateContent", "countTokens"],
  }))
  response.writeHead(200, { "content-type": "application/json; charset=UTF-8" }).end(JSON.stringify({ models }))
}
