import { isRecord, type P2Error } from "@p2/core"
import type { SendProof } from "@p2/guard/charge"
import { ChatCompletion } from "@p2/guard/protocols"
import type { OpenAI } from "openai"
import { ConnectionFailedError, ConnectionLostError, ContentFilteredError, type ProviderError } from "../errors"
import type { DeadlineRace } from "./deadline-race"
import { fetchWithErrorLimit, usageOfErrorBody } from "./fetch-with-error-limit"
import { isRejectedByFetch, provesNotSent } from "./not-sent"
import { CONTENT_FILTER, errorInside, failedGeneration, type ProviderReply, statusError } from "./provider-failure"
import { readResponse } from "./read-response"
import { REQUEST_ID_HEADER, type WatchedRequest, wireWatch } from "./wire-watch"

/** One HTTP call to make. */
export interface OutgoingRequest {
  /** Sent as `X-Client-Request-Id`. */
  id: string
  openai: OpenAI
  provider: { name: string; dialect?: string | undefined; headers?: Readonly<Record<string, string>> | undefined }
  body: Record<string, unknown>
  streamed: boolean
  race: DeadlineRace
  deadlines: { connectMs: number; firstContentMs: number; idleMs: number }
  /** The total deadline, which `race` enforces. */
  timeoutMs: number
  now: () => number
  /** Called with the text so far after each piece of content. */
  onText: ((text: string) => void) | undefined
}

/**
 * The result of one HTTP call. `answered`: a completion arrived, usable or not. `failed`: no completion arrived, and
 * `completion` has the part that did.
 */
export type SendResult = ({ status: "answered" } | { status: "failed"; error: P2Error }) & {
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
  const watch = wireWatch()
  const watched = watch.begin(id)
  const { connectMs, firstContentMs, idleMs } = request.deadlines
  race.start("connect", connectMs, { applies: () => watched.state === "waiting" })
  if (streamed) race.start("first-content", firstContentMs)
  try {
    const response = await race.wait(callProvider(request))
    const headersAt = performance.now()
    let firstContentAt: number | undefined
    const onContent = (text: string) => {
      firstContentAt ??= performance.now()
      request.onText?.(text)
    }
    const read = await readResponse(response, {
      provider: provider.name,
      dialect: provider.dialect ?? provider.name,
      race,
      streamed,
      idleMs,
      onContent,
    })
    const { completion } = read
    const error = read.status === "broken" ? read.error : errorInside(completion, provider.name)
    const reached = { completion, httpStatus: response.status, sent: "maybe-sent", headersAt, firstContentAt } as const
    return error === undefined ? { status: "answered", ...reached } : { status: "failed", error, ...reached }
  } catch (error) {
    return resultOfError(request, error, watched)
  } finally {
    watch.end(id)
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

type ChatBody = OpenAI.ChatCompletionCreateParamsNonStreaming

function callProvider({ id, openai, provider, body, race, timeoutMs }: OutgoingRequest): Promise<Response> {
  const options: OpenAI.RequestOptions = {
    signal: race.signal,
    maxRetries: 0,
    headers: { ...provider.headers, [REQUEST_ID_HEADER]: id },
    fetchOptions: fetchOptionsFor(openai),
  }
  // The race ends the call first, unless the SDK's own timeout is shorter.
  if (!(openai.timeout > timeoutMs)) options.timeout = timeoutMs + 60_000
  return openai.chat.completions.create(body as unknown as ChatBody, options).asResponse() as Promise<Response>
}

type FetchOptions = NonNullable<OpenAI.RequestOptions["fetchOptions"]>

/**
 * Forbids a second request: it would have no reservation, and a redirect would take the prompt and the key to another
 * host. With `window: null` fetch keeps no copy of the body, so it cannot send the prompt again after a 421. It throws for
 * a redirect, and the wire watch supplies the status. A fetch that the watch cannot observe returns the redirect.
 */
function fetchOptionsFor(openai: OpenAI): FetchOptions {
  const used: unknown = (openai as unknown as { fetch?: unknown }).fetch
  const isObserved = (used === globalThis.fetch || used === fetchWithErrorLimit) && wireWatch().isSupported
  return isObserved ? { redirect: "error", window: null } : { redirect: "manual" }
}

/** The result for an error status, a closed connection, the end of the race, or an error before sending. */
function resultOfError(request: OutgoingRequest, error: unknown, watched: WatchedRequest): SendResult {
  const { race, provider } = request
  const now = request.now()
  const status =
    statusError(error, provider.name, now) ?? statusError({ status: watched.hiddenStatus }, provider.name, now)
  if (status !== undefined) return resultOfStatus(status, error, race)
  const isRejected = isRejectedByFetch(error)
  // The wire watch takes precedence over the error, which may belong to a retry by the user's own fetch.
  const isUnsent = watched.state === "waiting" || (watched.state === "unseen" && (isRejected || provesNotSent(error)))
  const failure = isUnsent
    ? // The error of a rejected header quotes the header, so it is dropped.
      new ConnectionFailedError(provider.name, isRejected ? undefined : error)
    : new ConnectionLostError(provider.name, error)
  return {
    status: "failed",
    error: race.error ?? failure,
    sent: isUnsent ? "not-sent" : "maybe-sent",
    ...nothingArrived(provider.name),
  }
}

/** The result for an error status. Its body may have usage and (Groq) an answer, which is judged like any other. */
function resultOfStatus(status: ProviderError, cause: unknown, race: DeadlineRace): SendResult {
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
  if (generation !== undefined) return { status: "answered", ...received }
  const error = status.providerCode === CONTENT_FILTER ? new ContentFilteredError(status) : status
  return { status: "failed", error, ...received }
}
