import { isRecord, type P2Error } from "@p2/core"
import type { SendProof } from "@p2/guard/charge"
import { ChatCompletion, type MeterReading } from "@p2/guard/protocols"
import {
  isRejectedByFetch,
  type ProviderReply,
  SecondRequestError,
  type SendWatch,
  sendCounted,
  watchSend,
} from "@p2/guard/transport"
import type { OpenAI } from "openai"
import { ConnectionFailedError, ConnectionLostError, ContentFilteredError, type ProviderError } from "../errors"
import { type AttemptPlan, attemptId, type GenerateCall } from "../generate/generate-call"
import { MessageCompletion } from "./anthropic/message-completion"
import { messagesBody } from "./anthropic/messages-body"
import type { DeadlineRace } from "./deadline-race"
import { fetchWithErrorLimit, usageOfErrorBody } from "./fetch-with-error-limit"
import { CONTENT_FILTER, errorInside, failedGeneration, shortString, statusError } from "./provider-failure"
import { readResponse } from "./read-response"

/** The result of one HTTP call. `arrived`: a whole completion, usable or not. `failed`: a part of one in `completion`, or none. */
export type SendResult = ({ status: "arrived" } | { status: "failed"; error: P2Error }) & {
  completion: ChatCompletion
  /** What the completion reports: usage, model, error. */
  reading: MeterReading
  httpStatus: number | undefined
  sent: SendProof
  /** On the clock of `performance.now()`. */
  headersAt: number | undefined
  firstContentAt: number | undefined
}

/** Makes the HTTP call of an attempt, without retries. Never rejects. */
export async function sendRequest(
  call: GenerateCall,
  plan: AttemptPlan,
  body: Record<string, unknown>,
  race: DeadlineRace,
): Promise<SendResult> {
  const { provider } = plan.route
  if (race.error !== undefined) return { ...failedSend(plan, race.error), sent: "not-sent" }
  // The id is sent as `X-Client-Request-Id`, where requests can be observed. A guarded `fetch` in the instance would count the
  // call twice; it recognizes the id, and rejects the call. Elsewhere it recognizes the call by `sendCounted`.
  const id = attemptId(call, plan.settings)
  // A `Map` with lower-case names: reading `Headers` sorts them.
  const headers = new Map(Object.entries(provider.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]))
  const watch = watchSend({ headers, id, onSecondRequest: () => race.abortTransport(new SecondRequestError()) })
  const { connectMs, firstContentMs, idleMs } = call.deadlines
  race.start("connect", connectMs, { applies: () => watch.state === "waiting" })
  if (plan.streamed) race.start("first-content", firstContentMs)
  try {
    const response = await race.wait(callProvider(call, plan, { body, headers, watch, race }))
    const headersAt = performance.now()
    let firstContentAt: number | undefined
    const onContent = (text: string) => {
      firstContentAt ??= performance.now()
      call.onText?.(text)
    }
    const completion = completionOf(call, plan, body, shortString(response.headers.get("x-generation-id")))
    const options = { provider: provider.name, race, streamed: plan.streamed, idleMs, onContent }
    const broken = await readResponse(response, completion, options)
    const reading = completion.read()
    const error = broken ?? errorInside(completion, reading, provider.name)
    const { status: httpStatus } = response
    const reached = { completion, reading, httpStatus, sent: "maybe-sent", headersAt, firstContentAt } as const
    return error === undefined ? { status: "arrived", ...reached } : { status: "failed", error, ...reached }
  } catch (error) {
    return resultOfError(error, { provider: provider.name, race, watch, now: call.clock.now() })
  } finally {
    watch.end()
    race.keepTotal()
  }
}

/** The result of a call without a response that may have been sent. */
export function failedSend({ route }: AttemptPlan, error: P2Error): SendResult {
  return { status: "failed", error, sent: "maybe-sent", ...nothingArrived(route.provider.name) }
}

/** The fields of a call without a response. */
function nothingArrived(provider: string) {
  const completion = new ChatCompletion({ provider })
  return {
    completion,
    reading: completion.read(),
    httpStatus: undefined,
    headersAt: undefined,
    firstContentAt: undefined,
  }
}

/** Reads the answer in the wire format of the provider. */
function completionOf(
  { tools, compiled }: GenerateCall,
  { route: { provider } }: AttemptPlan,
  body: Record<string, unknown>,
  generationId: string | undefined,
): ChatCompletion {
  // With tools, only the tool of the answer's schema is the answer.
  const answerTool = tools && (compiled?.name ?? null)
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
  { request: { timeoutMs }, instances }: GenerateCall,
  { route }: AttemptPlan,
  {
    body,
    headers,
    watch,
    race,
  }: { body: object; headers: ReadonlyMap<string, string>; watch: SendWatch; race: DeadlineRace },
): Promise<Response> {
  const openai = instances.get(route)!
  const options: OpenAI.RequestOptions = {
    signal: race.signal,
    maxRetries: 0,
    headers: Object.fromEntries(headers),
    fetchOptions: { redirect: redirectFor(openai, watch) },
  }
  // The race ends the call first, unless the SDK's own timeout is shorter.
  if (!(openai.timeout > timeoutMs)) options.timeout = timeoutMs + 60_000
  const send = () => {
    if (route.provider.dialect !== "anthropic")
      return openai.chat.completions.create(body as unknown as ChatBody, options).asResponse()
    const message = {
      ...options,
      body: messagesBody(body as Record<string, unknown>),
      headers: anthropicHeaders(headers, openai),
    }
    return openai.post("/messages", message).asResponse()
  }
  return (watch.isSupported ? send() : sendCounted(send)) as Promise<Response>
}

/** Anthropic expects the key in its own header. `null` removes the SDK's header. */
function anthropicHeaders(headers: ReadonlyMap<string, string>, { apiKey }: OpenAI): Record<string, string | null> {
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
function resultOfError(
  error: unknown,
  { provider, race, watch, now }: { provider: string; race: DeadlineRace; watch: SendWatch; now: number },
): SendResult {
  const providerError = statusError(error, provider, now) ?? statusError({ status: watch.hiddenStatus }, provider, now)
  if (providerError !== undefined) return resultOfStatus(providerError, error, race)
  const sent = isThrownBeforeFetch(error) ? "not-sent" : watch.proof(error)
  const failure =
    sent === "not-sent"
      ? // The error of a rejected header quotes the header, so it is dropped.
        new ConnectionFailedError(provider, isRejectedByFetch(error) ? undefined : error)
      : new ConnectionLostError(provider, error)
  return { status: "failed", error: race.error ?? failure, sent, ...nothingArrived(provider) }
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
function resultOfStatus(providerError: ProviderError, cause: unknown, race: DeadlineRace): SendResult {
  const nothing = nothingArrived(providerError.provider)
  const generation = failedGeneration(providerError)
  const choices = generation === undefined ? undefined : [{ message: { content: generation } }]
  const { error: inner } = providerError.cause as ProviderReply
  const data = {
    error: isRecord(inner) ? inner : { code: providerError.providerCode },
    usage: usageOfErrorBody(cause),
    choices,
  }
  const { completion } = nothing
  completion.add({ event: undefined, data, text: "" })
  const reading = completion.read()
  const received = { ...nothing, reading, httpStatus: providerError.status, sent: "maybe-sent" } as const
  if (race.error !== undefined) return { status: "failed", error: race.error, ...received }
  if (generation !== undefined) return { status: "arrived", ...received }
  const error = providerError.providerCode === CONTENT_FILTER ? new ContentFilteredError(providerError) : providerError
  return { status: "failed", error, ...received }
}
