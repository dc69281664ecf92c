import { randomBytes } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import { BadRequest } from "../chat-request"
import { delayAnswer } from "../interruption"
import { readBody, remember, type ServerContext } from "../server-context"
import { densestNormalizedCount, usualCount } from "../text-count"
import { answerClaude } from "./answer"
import { handleMessageBatches } from "./batches"
import { billClaude } from "./bill"
import { countClaudeInput, readCache, totalInput } from "./count"
import { CLAUDE_MODELS, findClaude } from "./rates"
import { readClaudeRequest } from "./request"
import { sendEvents, sendMessage } from "./send"

/** Anthropic's error types by status: https://platform.claude.com/docs/en/api/errors (2026-11-23). */
const ERROR_TYPES: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  500: "api_error",
  504: "timeout_error",
  529: "overloaded_error",
}

/** Answers a request to Anthropic's Messages API. @param path the path without the prefix of the API */
export async function handleAnthropic(
  context: ServerContext,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
): Promise<void> {
  if (request.method === "HEAD") return void response.writeHead(200).end()
  const { "x-api-key": apiKey, authorization } = request.headers
  const key = apiKey ?? /^Bearer (.+)$/.exec(authorization ?? "")?.[1]
  if (typeof key !== "string" || key === "" || (context.options.apiKey ?? key) !== key)
    return sendError(response, 401, "invalid x-api-key")
  const route = path.replace(/^\/v1/, "")
  if (request.method === "GET" && route === "/models") return sendModels(response)
  if (/^\/messages\/batches(\/|$)/.test(route)) {
    const id = route.split("/")[3]
    const isHandled = await handleMessageBatches(context, request, response, id, route.split("/")[4])
    return isHandled ? undefined : sendError(response, 404, `No such batch: ${id}`)
  }
  if (request.method !== "POST" || (route !== "/messages" && route !== "/messages/count_tokens"))
    return sendError(response, 404, `Not found: ${request.method} ${path}`)
  const text = await readBody(request)
  try {
    if (route === "/messages") await messages(context, request, response, text)
    else countTokens(response, text)
  } catch (error) {
    if (!(error instanceof BadRequest)) throw error
    sendError(response, 400, error.message)
  }
}

async function messages(
  context: ServerContext,
  request: IncomingMessage,
  response: ServerResponse,
  text: string,
): Promise<void> {
  const body = readClaudeRequest(text, false)
  remember(context, request, body)
  const model = findClaude(body.model)
  if (model === undefined) return sendError(response, 404, `model: ${body.model}`)
  context.calls += 1
  const fault = context.faults.take({ model: body.model, body, number: context.calls })
  await delayAnswer(response, fault, context.options)
  if (response.destroyed || response.socket?.destroyed) return
  const reject = () =>
    sendError(response, fault.status ?? 500, fault.error?.message ?? "Fault of the local provider.", {
      type: fault.error?.type,
      headers: fault.headers,
    })
  if (fault.status !== undefined && !fault.billed) return reject()
  const prompt = readCache(body, fault.densestTokens ? densestNormalizedCount : usualCount, context.cachedPrefixes)
  if (totalInput(prompt) > model.contextWindow)
    return sendError(response, 400, `prompt is too long: ${totalInput(prompt)} tokens > ${model.contextWindow} maximum`)
  const answer = answerClaude(body, model, prompt, fault)
  const clientRequestId = request.headers["x-client-request-id"]
  const line = context.ledger.billUnits(
    {
      id: `msg_${randomBytes(12).toString("hex")}`,
      model: body.model,
      api: "anthropic",
      promptTokens: totalInput(answer.input),
      cachedTokens: answer.input.cacheRead,
      completionTokens: answer.outputTokens,
      reported: false,
      status: fault.status ?? 200,
      clientRequestId: typeof clientRequestId === "string" ? clientRequestId : undefined,
    },
    billClaude(body, model, answer),
  )
  if (fault.status !== undefined) return reject()
  const call = { request: body, answer, line, fault, ledger: context.ledger }
  if (body.stream) await sendEvents(response, call)
  else await sendMessage(response, call)
}

function countTokens(response: ServerResponse, text: string): void {
  const tokens = countClaudeInput(readClaudeRequest(text, true), usualCount)
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ input_tokens: tokens }))
}

function sendModels(response: ServerResponse): void {
  const data = CLAUDE_MODELS.map((id) => ({ type: "model", id, display_name: id, created_at: "2026-01-01T00:00:00Z" }))
  const body = { data, has_more: false, first_id: data[0]?.id, last_id: data.at(-1)?.id }
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body))
}

function sendError(
  response: ServerResponse,
  status: number,
  message: string,
  options: { type?: string | undefined; headers?: Record<string, string> | undefined } = {},
): void {
  const error = { type: options.type ?? ERROR_TYPES[status] ?? "api_error", message }
  response
    .writeHead(status, { "content-type": "application/json", "request-id": "req_local", ...options.headers })
    .end(JSON.stringify({ type: "error", error, request_id: "req_local" }))
}
