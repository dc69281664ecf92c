import type { IncomingMessage, ServerResponse } from "node:http"
import type { Fault } from "../faults"
import { delayAnswer } from "../interruption"
import type { BilledUnits } from "../ledger"
import { readBody, remember, type ServerContext } from "../server-context"
import { answerResponses, idOf, type ResponsesAnswer } from "./answer"
import { countResponsesInput } from "./count"
import { findResponsesModel, PICO_USD_PER_PIECE, type ResponsesModel } from "./rates"
import { type ResponsesRequest, readResponsesRequest } from "./request"
import { endOf, type ResponsesCall, responseBody, type StoredResponse, sendResponse, sendResponseEvents } from "./send"

type SendError = (status: number, error: Record<string, unknown>, headers?: Record<string, string>) => void

/** Answers a request below `/responses`. @param path the path after `/responses` */
export async function handleResponses(
  context: ServerContext,
  request: IncomingMessage,
  response: ServerResponse,
  { path, sendError }: { path: string; sendError: SendError },
): Promise<void> {
  const [, id = "", action] = path.split("/")
  if (id === "" && request.method === "POST") return create(context, request, response, sendError)
  if (id === "input_tokens" && request.method === "POST") return countTokens(context, request, response)
  const stored = context.responses.get(id)
  if (stored === undefined)
    return sendError(404, { message: `Response with id '${id}' not found.`, type: "invalid_request_error" })
  if (request.method === "DELETE") {
    context.responses.delete(id)
    return sendJson(response, { id, object: "response", deleted: true })
  }
  if (request.method === "POST" && action === "cancel") stored.isCancelled = stored.pollsLeft > 0
  sendJson(response, poll(stored))
}

/** A background response ends after its polls. What was generated is billed, even if the response is cancelled. */
function poll(stored: StoredResponse): Record<string, unknown> {
  const { call } = stored
  if (stored.isCancelled) return responseBody(call, "cancelled")
  if (stored.pollsLeft > 0) {
    stored.pollsLeft -= 1
    return responseBody(call, "in_progress")
  }
  call.line.reported = !call.fault.noUsage
  return responseBody(call, endOf(call))
}

async function create(
  context: ServerContext,
  request: IncomingMessage,
  response: ServerResponse,
  sendError: SendError,
): Promise<void> {
  const body = readResponsesRequest(await readBody(request))
  remember(context, request, body)
  const model = findResponsesModel(body.model)
  if (model === undefined)
    return sendError(400, {
      message: `The requested model '${body.model}' does not exist.`,
      type: "invalid_request_error",
      code: "model_not_found",
      param: "model",
    })
  context.calls += 1
  const fault = context.faults.take({ model: body.model, body, number: context.calls })
  await delayAnswer(response, fault, context.options)
  if (response.destroyed || response.socket?.destroyed) return
  const reject = () =>
    sendError(
      fault.status!,
      { message: `Fault of the local provider: status ${fault.status}.`, type: "local_fault", ...fault.error },
      fault.headers,
    )
  if (fault.status !== undefined && !fault.billed) return reject()
  const serviceTier = tierOf(body, fault)
  const rates = model.tiers[serviceTier]
  if (rates === undefined)
    return sendError(400, { message: `Invalid service_tier argument: ${serviceTier}`, type: "invalid_request_error" })
  const promptTokens = countResponsesInput(body, context)
  if (promptTokens > model.contextWindow)
    return sendError(400, {
      message: "Your input exceeds the context window of this model.",
      type: "invalid_request_error",
      code: "context_length_exceeded",
    })
  const answer = answerResponses(body, model, promptTokens, fault)
  const clientRequestId = request.headers["x-client-request-id"]
  const line = context.ledger.billUnits(
    {
      id: idOf("resp"),
      model: body.model,
      api: "openai",
      promptTokens: answer.inputTokens,
      cachedTokens: answer.cachedTokens,
      completionTokens: answer.outputTokens,
      reported: false,
      status: fault.status ?? 200,
      clientRequestId: typeof clientRequestId === "string" ? clientRequestId : undefined,
    },
    billOf(answer, rates, body.model),
  )
  if (fault.status !== undefined) return reject()
  const call: ResponsesCall = { request: body, answer, line, fault, ledger: context.ledger, serviceTier }
  if (body.store !== false || body.background) store(context, call, promptTokens)
  if (body.stream) return sendResponseEvents(response, call)
  if (body.background) return sendJson(response, responseBody(call, "queued"))
  await sendResponse(response, call)
}

/**
 * For these models, search results are billed as a fixed number of tokens in addition to the reported input, according
 * to the pricing page.
 */
const FIXED_SEARCH = { models: /^gpt-4(o|\.1)-mini/, tokens: 8_000 }

function billOf(answer: ResponsesAnswer, rates: ResponsesModel["tiers"][string], model: string): BilledUnits[] {
  const { search, fileSearch, containerGB } = PICO_USD_PER_PIECE
  return [
    { kind: "input", count: answer.inputTokens - answer.cachedTokens, picoUsdPerUnit: rates.input },
    {
      kind: "searchInput",
      count: FIXED_SEARCH.models.test(model) ? answer.searches * FIXED_SEARCH.tokens : 0,
      picoUsdPerUnit: rates.input,
    },
    { kind: "cacheRead", count: answer.cachedTokens, picoUsdPerUnit: rates.cacheRead },
    { kind: "output", count: answer.outputTokens, picoUsdPerUnit: rates.output },
    { kind: "search", count: answer.searches, picoUsdPerUnit: search },
    { kind: "fileSearch", count: answer.fileSearches, picoUsdPerUnit: fileSearch },
    { kind: "codeSession", count: answer.containerGB, picoUsdPerUnit: containerGB },
  ]
}

/** The tier of the request, else the setting of the provider's project. */
function tierOf({ service_tier: requested }: ResponsesRequest, fault: Fault): string {
  return requested === undefined || requested === null || requested === "auto"
    ? (fault.projectTier ?? "default")
    : requested
}

function store(context: ServerContext, call: ResponsesCall, promptTokens: number): void {
  context.responses.set(call.line.id, {
    call,
    conversationTokens: promptTokens + call.answer.outputTokens,
    pollsLeft: 1,
    isCancelled: false,
  })
}

async function countTokens(context: ServerContext, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const tokens = countResponsesInput(readResponsesRequest(await readBody(request)), context)
  sendJson(response, { object: "response.input_tokens", input_tokens: tokens })
}

function sendJson(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body))
}
