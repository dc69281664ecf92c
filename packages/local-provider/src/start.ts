import { randomBytes } from "node:crypto"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { checkOptions } from "@p2/core"
import { handleAnthropic } from "./anthropic/handle"
import { handleBatches, isBatchPath } from "./batches/handle"
import { BadRequest, type ChatRequest, modeOf, readChatRequest } from "./chat-request"
import { type Completion, complete } from "./completion"
import { handleEmbeddings } from "./embeddings/handle"
import { type Fault, Faults } from "./faults"
import { handleGemini } from "./gemini/handle"
import { delayAnswer } from "./interruption"
import { type BilledCall, ProviderLedger } from "./ledger"
import { answerImages } from "./media/images"
import { handleMedia } from "./media/send"
import { answerSpeech } from "./media/speech"
import { answerTranscription } from "./media/transcriptions"
import { findModel, listModels, type ModelEntry } from "./models"
import { countByOwnRules, findOwnModel, isTooExpensive, type OwnModel, ownBill } from "./own-rules/chat-rules"
import { handleResponses } from "./responses/handle"
import { sendJson, sendStream } from "./send"
import {
  type LocalProviderOptions,
  type ReceivedRequest,
  readBody,
  remember,
  type ServerContext,
} from "./server-context"
import { dollars } from "./wire-format"

export interface LocalProvider {
  /** For example `http://127.0.0.1:4000`. */
  url: string
  /** Base URL like OpenAI's: `…/v1`. */
  baseURL: string
  /** Base URL like OpenRouter's, with `usage.cost`: `…/api/v1`. */
  openRouterBaseURL: string
  /** Base URL for Anthropic's SDK: `…/anthropic`. */
  anthropicBaseURL: string
  /** Base URL for Google's SDK: `…/gemini`. */
  geminiBaseURL: string
  /** The calls that would have been billed. */
  ledger: ProviderLedger
  faults: Faults
  /** The last thousand chat requests, oldest first. */
  received: ReceivedRequest[]
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const NAMES: ReadonlySet<string> = new Set([
  ...(["port", "latencyMs", "apiKey", "ownRules"] satisfies (keyof LocalProviderOptions)[]),
])

/** Starts the provider on 127.0.0.1. Rejects with an InvalidArgumentError for an unknown option. */
export async function startLocalProvider(options: LocalProviderOptions = {}): Promise<LocalProvider> {
  checkOptions(options, NAMES)
  const ledger = new ProviderLedger()
  const faults = new Faults()
  const received: ReceivedRequest[] = []
  const context: ServerContext = {
    ledger,
    faults,
    received,
    options,
    calls: 0,
    cachedPrefixes: new Set(),
    responses: new Map(),
    files: new Map(),
    batches: new Map(),
    messageBatches: new Map(),
  }
  const server = createServer((request, response) => {
    route(context, request, response).catch((error: unknown) => {
      if (error instanceof BadRequest && !response.headersSent)
        sendError(response, 400, { message: error.message, type: "invalid_request_error" })
      else if (!response.headersSent) sendError(response, 500, { message: String(error), type: "server_error" })
      else response.destroy()
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(options.port ?? 0, "127.0.0.1", 4096, resolve)
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const close = () => closeServer(server)
  return {
    url,
    baseURL: `${url}/v1`,
    openRouterBaseURL: `${url}/api/v1`,
    anthropicBaseURL: `${url}/anthropic`,
    geminiBaseURL: `${url}/gemini`,
    ledger,
    faults,
    received,
    close,
    [Symbol.asyncDispose]: close,
  }
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}

async function route(context: ServerContext, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", "http://127.0.0.1")
  if (url.pathname.startsWith("/anthropic"))
    return handleAnthropic(context, request, response, url.pathname.slice("/anthropic".length))
  if (url.pathname.startsWith("/gemini"))
    return handleGemini(context, request, response, {
      path: url.pathname.slice("/gemini".length),
      query: url.searchParams,
    })
  const api = url.pathname.startsWith("/api/v1/") ? "openrouter" : "openai"
  const path = url.pathname.replace(/^(\/api)?\/v1/, "")
  if (request.method === "GET" && path === "/models") return sendModels(response, api)
  const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1]
  if (token === undefined || (context.options.apiKey !== undefined && token !== context.options.apiKey))
    return sendError(response, 401, {
      message: "Incorrect API key provided.",
      type: "invalid_request_error",
      code: "invalid_api_key",
    })
  if (request.method === "GET" && path === "/generation")
    return sendGeneration(context, response, url.searchParams.get("id") ?? "")
  const fail = (status: number, error: Record<string, unknown>, headers?: Record<string, string>) =>
    sendError(response, status, error, headers)
  if (/^\/responses(\/|$)/.test(path))
    return handleResponses(context, request, response, { path: path.slice("/responses".length), sendError: fail })
  if (request.method === "POST" && path === "/embeddings") return handleEmbeddings(context, request, response, fail)
  if (isBatchPath(path)) return handleBatches(context, request, response, { path, sendError: fail })
  const media = request.method === "POST" ? MEDIA.find(([pattern]) => pattern.test(path)) : undefined
  if (media !== undefined) return handleMedia(context, request, response, fail, media[1])
  if (request.method !== "POST" || path !== "/chat/completions")
    return sendError(response, 404, {
      message: `Unknown request URL: ${request.method} ${url.pathname}.`,
      type: "invalid_request_error",
    })
  await chat(context, request, response, api)
}

const MEDIA = [
  [/^\/images\/(generations|edits)$/, answerImages],
  [/^\/audio\/speech$/, answerSpeech],
  [/^\/audio\/(transcriptions|translations)$/, answerTranscription],
] as const

async function chat(
  context: ServerContext,
  request: IncomingMessage,
  response: ServerResponse,
  api: "openai" | "openrouter",
): Promise<void> {
  const text = await readBody(request)
  let body: ChatRequest
  try {
    body = readChatRequest(text)
  } catch (error) {
    if (error instanceof BadRequest)
      return sendError(response, 400, { message: error.message, type: "invalid_request_error" })
    throw error
  }
  remember(context, request, body)
  const listed = context.options.ownRules ? undefined : findModel(body.model, api, body.service_tier)
  if (listed === undefined && !context.options.ownRules)
    return sendError(response, 404, {
      message: `The model \`${body.model}\` does not exist.`,
      type: "invalid_request_error",
      code: "model_not_found",
    })
  context.calls += 1
  const fault = context.faults.take({ model: body.model, body, number: context.calls })
  await delayAnswer(response, fault, context.options)
  if (response.destroyed || response.socket?.destroyed) return
  const rejection = rejectionOf(body, fault)
  // OpenRouter bills no error: https://openrouter.ai/docs/features/zero-completion-insurance
  if (rejection !== undefined && (!fault.billed || api === "openrouter"))
    return sendError(response, rejection.status, rejection.error, fault.headers)
  const own = context.options.ownRules ? findOwnModel(body, api, fault) : undefined
  const model = listed ?? own
  if (model === undefined || (own !== undefined && isTooExpensive(body, own)))
    return sendError(response, 404, {
      message: `No endpoint for the model \`${body.model}\`.`,
      code: "model_not_found",
    })
  const completion = complete(body, model, fault, own === undefined ? undefined : countByOwnRules(body))
  if (completion.promptTokens > model.contextWindow)
    return sendError(response, 400, {
      message: `This model's maximum context length is ${model.contextWindow} tokens.`,
      type: "invalid_request_error",
      code: "context_length_exceeded",
    })
  const clientRequestId = request.headers["x-client-request-id"]
  const line = billed(
    context,
    api,
    body,
    { model, own, completion },
    {
      serviceTier: own?.serviceTier ?? body.service_tier,
      status: rejection?.status ?? 200,
      clientRequestId: typeof clientRequestId === "string" ? clientRequestId : undefined,
    },
  )
  if (rejection !== undefined) return sendError(response, rejection.status, rejection.error, fault.headers)
  const call = { request: body, completion, line, fault, rates: model.rates, ledger: context.ledger }
  if (body.stream) await sendStream(response, call)
  else await sendJson(response, call)
}

function billed(
  context: ServerContext,
  api: "openai" | "openrouter",
  body: ChatRequest,
  { model, own, completion }: { model: ModelEntry; own: OwnModel | undefined; completion: Completion },
  fields: Pick<BilledCall, "status" | "clientRequestId" | "serviceTier">,
): BilledCall {
  const line = {
    id: `${api === "openrouter" ? "gen" : "chatcmpl"}-${randomBytes(12).toString("hex")}`,
    model: body.model,
    api,
    promptTokens: completion.promptTokens,
    cachedTokens: completion.cachedTokens,
    completionTokens: completion.completionTokens,
    reported: false,
    ...fields,
  }
  if (own !== undefined) return context.ledger.billUnits(line, ownBill(body, own, completion))
  return context.ledger.bill(line, model.rates)
}

/** The error status of a fault or a rejected mode. */
function rejectionOf(body: ChatRequest, fault: Fault) {
  const mode = modeOf(body)
  if (mode !== "text" && fault.rejectModes?.includes(mode)) {
    const parameter = mode === "tool" ? "tools" : "response_format"
    return {
      status: 400,
      error: {
        message: `Invalid parameter: '${parameter}' of type '${mode}' is not supported with this model.`,
        type: "invalid_request_error",
        param: parameter,
      },
    }
  }
  if (fault.status === undefined) return undefined
  return {
    status: fault.status,
    error: { message: `Fault of the local provider: status ${fault.status}.`, type: "local_fault", ...fault.error },
  }
}

function sendModels(response: ServerResponse, api: "openai" | "openrouter"): void {
  const data = listModels(api).map((id) => ({ id, object: "model", created: 0, owned_by: "local" }))
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ object: "list", data }))
}

/** OpenRouter's record of a generation. */
function sendGeneration(context: ServerContext, response: ServerResponse, id: string): void {
  const line = context.ledger.find(id)
  if (line === undefined) {
    sendError(response, 404, { message: `Generation ${id} not found`, code: "404" })
    return
  }
  const data = {
    id: line.id,
    model: line.model,
    total_cost: dollars(line.picoUsd),
    usage: dollars(line.picoUsd),
    is_byok: false,
    tokens_prompt: line.promptTokens,
    tokens_completion: line.completionTokens,
    native_tokens_prompt: line.promptTokens,
    native_tokens_completion: line.completionTokens,
    native_tokens_cached: line.cachedTokens,
    native_tokens_reasoning: 0,
  }
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ data }))
}

function sendError(
  response: ServerResponse,
  status: number,
  error: Record<string, unknown>,
  headers: Record<string, string> = {},
): void {
  const body = JSON.stringify({ error: { param: null, code: null, ...error } })
  response.writeHead(status, { "content-type": "application/json", "x-request-id": "req_local", ...headers }).end(body)
}
