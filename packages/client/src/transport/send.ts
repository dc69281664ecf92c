import { isRecord, type P2Error } from "@p2/core"
import type { SendProof } from "@p2/guard/charge"
import { ChatCompletion } from "@p2/guard/protocols"
import {
  isRejectedByFetch,
  type ProviderReply,
  SecondRequestError,
  type SendWatch,
  watchSend,
} from "@p2/guard/transport"
import type { OpenAI } from "openai"
import { ConnectionFailedError, ConnectionLostError, ContentFilteredError, type ProviderError } from "../errors"
import { MessageCompletion } from "./anthropic/message-completion"
import { messagesBody } from "./anthropic/messages-body"
import type { DeadlineExceededRace } from "./deadline-exceeded-race"
import { fetchWithErrorLimit, usageOfErrorBody } from "./fetch-with-error-limit"
import { CONTENT_FILTER, errorInside, failedGeneration, statusError } from "./provider-failure"
import { readResponse } from "./read-response"

/** One HTTP call to make. */
export interface OutgoingRequest {
  /** Sent as `X-Client-Request-Id`, where requests can be observed. */
  id: string
  openai: OpenAI
  provider: { name: string; dialect?: string | undefined; headers?: Readonly<Record<string, string>> | undefined }
  body: Record<string, unknown>
  /** The tool by whose call the model answers; null: none; undefined: any tool. */
  answerTool: string | null | undefined
  streamed: boolean
  race: DeadlineExceededRace
  deadlines: { connectMs: number; firstContentMs: number; idleMs: number }
  /** The total deadline, which `race` enforces. */
  timeoutMs: number
  now: () => number
  /** Called with the text so far after each piece of content. */
  onText: ((text: string) => void) | undefined
}

/**
 * The result of one HTTP call. `arrived`: a completion arrived, usable or not. `failed`: no completion arrived, and
 * `completion` has the part that did.
 */
export type SendResult = ({ status: "arrived" } | { status: "failed"; error: P2Error }) & {
  completion: ChatCompletion
  httpStatus: number | undefined
  sent: SendProof
  /** On the clock of `performance.now()`. */
  headersAt: number | undefined
  firstContentAt: number | undefined
}

/** Makes one HTTP call, without retries. Never rejects. */
export async function sendRequest(request: OutgoingRequest): Promise<SendResult> {
  const { id, race, streamed, provider } = request
  if (race.error !== undefined)
    return { status: "failed", error: race.error, sent: "not-sent", ...nothingArrived(provider.name) }
  const headers = new Headers(provider.headers)
  // A guarded `fetch` in the instance would count the call twice. It recognizes the id of the watch, and rejects the call.
  const watch = watchSend({ headers, id, onSecondRequest: () => race.abortTransport(new SecondRequestError()) })
  const { connectMs, firstContentMs, idleMs } = request.deadlines
  race.start("connect", connectMs, { applies: () => watch.state === "waiting" })
  if (streamed) race.start("first-content", firstContentMs)
  try {
    const response = await race.wait(callProvider(request, headers, watch))
    const headersAt = performance.now()
    let firstContentAt: number | undefined
    const onContent = (text: string) => {
      firstContentAt ??= performance.now()
      request.onText?.(text)
    }
    const read = await readResponse(response, {
      provider: provider.name,
      completion: (generationId) => completionOf(request, generationId),
      race,
      streamed,
      idleMs,
      onContent,
    })
    const { completion } = read
    const error = read.status === "broken" ? read.error : errorInside(completion, provider.name)
    const reached = { completion, httpStatus: response.status, sent: "maybe-sent", headersAt, firstContentAt } as const
    return error === undefined ? { status: "arrived", ...reached } : { status: "failed", error, ...reached }
  } catch (error) {
    return resultOfError(request, error, watch)
  } finally {
    watch.end()
    race.keepTotal()
  }
}

/** The fields of a call without a response. */
function nothingArrived(provider: string) {
  return {
    completion: new ChatCompletion({ provider }),
    httpStatus: undefined,
    headersAt: undefined,
    firstContentAt: undefined,
  }
}

/** Reads the answer in the wire format of the provider. */
function completionOf(
  { provider, body, answerTool }: OutgoingRequest,
  generationId: string | undefined,
): ChatCompletion {
  if (provider.dialect !== "anthropic")
    return new ChatCompletion({ provider: provider.dialect ?? provider.name, generationId, answerTool })
  const cacheWrites = hasLongCache(body) ? "any" : "5m"
  return new MessageCompletion({ model: String(body.model), cacheWrites, answerTool })
}

/** Whether a part of the body is marked for a cache of one hour. */
function hasLongCache(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false
  return Object.entries(value).some(([name, inner]) => (name === "ttl" && inner === "1h") || hasLongCache(inner))
}

type ChatBody = OpenAI.ChatCompletionCreateParamsNonStreaming

function callProvider(
  { openai, body, provider, race, timeoutMs }: OutgoingRequest,
  headers: Headers,
  watch: SendWatch,
): Promise<Response> {
  const options: OpenAI.RequestOptions = {
    signal: race.signal,
    maxRetries: 0,
    headers,
    fetchOptions: { redirect: redirectFor(openai, watch) },
  }
  // The race ends the call first, unless the SDK's own timeout is shorter.
  if (!(openai.timeout > timeoutMs)) options.timeout = timeoutMs + 60_000
  if (provider.dialect === "anthropic") {
    const message = { ...options, body: messagesBody(body), headers: anthropicHeaders(headers, openai) }
    return openai.post("/messages", message).asResponse() as Promise<Response>
  }
  return openai.chat.completions.create(body as unknown as ChatBody, options).asResponse() as Promise<Response>
}

/** Anthropic expects the key in its own header. `null` removes the SDK's header. */
function anthropicHeaders(headers: Headers, { apiKey }: OpenAI): Record<string, string | null> {
  const version = { "anthropic-version": "2023-06-01" }
  return { ...version, ...Object.fromEntries(headers), "x-api-key": apiKey, authorization: null }
}

/**
 * A redirect would take the prompt and the key to another host. Where the watch supplies the status, fetch throws for a
 * redirect; a fetch that the watch cannot observe returns it.
 */
function redirectFor(openai: OpenAI, { isSupported }: SendWatch): "error" | "manual" {
  const used: unknown = (openai as unknown as { fetch?: unknown }).fetch
  return isSupported && (used === globalThis.fetch || used === fetchWithErrorLimit) ? "error" : "manual"
}

/** The result for an error status, a closed connection, the end of the race, or an error before sending. */
function resultOfError(request: OutgoingRequest, error: unknown, watch: SendWatch): SendResult {
  const { race, provider } = request
  const now = request.now()
  const status =
    statusError(error, provider.name, now) ?? statusError({ status: watch.hiddenStatus }, provider.name, now)
  if (status !== undefined) return resultOfStatus(status, error, race)
  const sent = isThrownBeforeFetch(error) ? "not-sent" : watch.proof(error)
  const failure =
    sent === "not-sent"
      ? // The error of a rejected header quotes the header, so it is dropped.
        new ConnectionFailedError(provider.name, isRejectedByFetch(error) ? undefined : error)
      : new ConnectionLostError(provider.name, error)
  return {
    status: "failed",
    error: race.error ?? failure,
    sent,
    ...nothingArrived(provider.name),
  }
}

/**
 * Whether the SDK threw before it called fetch: a plain `OpenAIError`, for example because the key cannot be read, or the
 * error of an invalid URL. The SDK wraps whatever fetch throws in another class.
 */
function isThrownBeforeFetch(error: unknown): boolean {
  const thrown = (error ?? {}) as { constructor?: { name?: unknown }; code?: unknown }
  return thrown.constructor?.name === "OpenAIError" || (error instanceof TypeError && thrown.code === "ERR_INVALID_URL")
}

/** The result for an error status. Its body may have usage and (Groq) an answer, which is judged like any other. */
function resultOfStatus(status: ProviderError, cause: unknown, race: DeadlineExceededRace): SendResult {
  const nothing = nothingArrived(status.provider)
  const generation = failedGeneration(status)
  const choices = generation === undefined ? undefined : [{ message: { content: generation } }]
  const { error: inner } = status.cause as ProviderReply
  const data = {
    error: isRecord(inner) ? inner : { code: status.providerCode },
    usage: usageOfErrorBody(cause),
    choices,
  }
  nothing.completion.add({ event: undefined, data, text: "" })
  const received = { ...nothing, httpStatus: status.status, sent: "maybe-sent" } as const
  if (race.error !== undefined) return { status: "failed", error: race.error, ...received }
  if (generation !== undefined) return { status: "arrived", ...received }
  const error = status.providerCode === CONTENT_FILTER ? new ContentFilteredError(status) : status
  return { status: "failed", error, ...received }
}
