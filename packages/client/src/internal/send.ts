import type { P2Error } from "@p2/core"
import type { OpenAI } from "openai"
import { ConnectionFailedError, ConnectionLostError, ContentFilteredError, type ProviderError } from "../client-errors"
import { usageBesideError } from "../fetch-with-error-limit"
import type { Attempt } from "./attempt"
import { chatBody } from "./chat-body"
import { Completion, shortText } from "./completion"
import { isUnmade, provesNotSent } from "./not-sent"
import { FILTERED, failedGeneration, insideError, isFree, statusError } from "./provider-failure"
import { readCompletion } from "./read-completion"
import { sentOnce } from "./sent-once"
import { REQUEST_ID_HEADER, type Watched, wireWatch } from "./wire-watch"

/** How far a call came. */
export interface Sent {
  completion: Completion
  /** Undefined: an answer arrived; whether it is a good one is not said yet. */
  error: P2Error | undefined
  /** What the provider may bill beside the usage in `completion`: the request was `unsent`, `nothing` was generated, or `unknown`. */
  owed: "unsent" | "nothing" | "unknown"
}

/** Makes one HTTP call. Never rejects: what went wrong is in the result, and how it went in the receipt. */
export async function send(attempt: Attempt): Promise<Sent> {
  const { ask, race, run, startedAt } = attempt
  const { id, streamed, timings } = attempt.receipt
  const provider = ask.route.provider.name
  const completion = new Completion()
  const sent: Sent = { completion, error: race.error, owed: "unsent" }
  if (race.error !== undefined) return sent
  const watch = wireWatch()
  const wire = watch.begin(id)
  const { connectMs, firstContentMs, idleMs } = run.deadlines
  race.start("connect", connectMs, { applies: () => wire.state === "waiting" })
  if (streamed) race.start("first-content", firstContentMs)
  try {
    const response = await race.race(call(attempt))
    timings.headersMs = performance.now() - startedAt
    attempt.receipt.httpStatus = response.status
    completion.generationId = shortText(response.headers.get("x-generation-id"))
    const onContent = () => {
      race.refreshIdle(idleMs)
      timings.firstContentMs ??= performance.now() - startedAt
      run.onContent?.(completion.text)
    }
    sent.owed = "unknown"
    await readCompletion(completion, { attempt, response, onContent })
    sent.error = insideError(completion, provider)
  } catch (error) {
    fail(sent, error, wire, attempt)
  } finally {
    watch.end(id)
    race.keepTotal()
  }
  return sent
}

function call({ ask, plan, race, receipt }: Attempt): Promise<Response> {
  const { openai, provider } = ask.route
  const body = chatBody(ask, { maxTokens: plan.maxTokens, stream: receipt.streamed, maxPrice: plan.maxPrice })
  const options: OpenAI.RequestOptions = {
    signal: race.signal,
    maxRetries: 0,
    headers: { ...provider.headers, [REQUEST_ID_HEADER]: receipt.id },
    fetchOptions: sentOnce(openai),
  }
  // Ours fires first, unless the SDK waits for less. Timers of one length cost Node least.
  const { timeoutMs } = ask.request
  if (!(openai.timeout > timeoutMs)) options.timeout = timeoutMs + 60_000
  return openai.chat.completions.create(body as unknown as ChatBody, options).asResponse() as Promise<Response>
}

type ChatBody = OpenAI.ChatCompletionCreateParamsNonStreaming

function fail(sent: Sent, error: unknown, wire: Watched, { ask, race, run, receipt }: Attempt): void {
  const { completion } = sent
  const provider = ask.route.provider.name
  const now = run.clock.now()
  const status = statusError(error, provider, now) ?? statusError({ status: wire.withheld }, provider, now)
  const unmade = isUnmade(error)
  // What the wire saw cannot be argued away: the error may be that of a second try of somebody's own fetch.
  if (wire.state === "sent" || (wire.state === "unseen" && !unmade && !provesNotSent(error))) sent.owed = "unknown"
  if (status !== undefined) {
    receipt.httpStatus = status.status
    completion.takeUsage(usageBesideError(error))
    sent.owed = provesNothingOwed(completion, status) ? "nothing" : "unknown"
  }
  if (race.error !== undefined) sent.error = race.error
  else if (status !== undefined) sent.error = errorOf(status, completion)
  else if (sent.owed === "unsent") sent.error = new ConnectionFailedError(provider, unmade ? undefined : error)
  else sent.error = error instanceof ConnectionLostError ? error : new ConnectionLostError(provider, error)
}

/** What was said or was said to be used, however doubtful, was not nothing. */
function provesNothingOwed(completion: Completion, status: ProviderError): boolean {
  return isFree(status) && failedGeneration(status) === undefined && completion.leastUsage === undefined
}

/** Undefined where the model did answer: whether its answer will do is for us to judge, and to have repaired. */
function errorOf(status: ProviderError, completion: Completion): P2Error | undefined {
  const answer = failedGeneration(status)
  if (answer === undefined) return status.providerCode === FILTERED ? new ContentFilteredError(status) : status
  completion.take({ choices: [{ message: { content: answer } }] })
  return undefined
}
