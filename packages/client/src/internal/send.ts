import type { P2Error } from "@p2/core"
import type { OpenAI } from "openai"
import { ConnectionFailedError, ConnectionLostError, ContentFilteredError, type ProviderError } from "../client-errors"
import { usageBesideError } from "../fetch-with-error-limit"
import type { AttemptReceipt } from "../receipt"
import { type Ask, chatBody } from "./chat-body"
import { Completion } from "./completion"
import { provesNotSent } from "./not-sent"
import type { Plan } from "./plan-attempt"
import { FILTERED, failedGeneration, insideError, isFree, statusError } from "./provider-failure"
import { readCompletion } from "./read-completion"
import type { Attempt } from "./run-setting"
import { sentOnce } from "./sent-once"
import { REQUEST_ID_HEADER, type Watched, wireWatch } from "./wire-watch"

/** How far a call came. */
export interface Sent {
  completion: Completion
  /** Undefined: an answer arrived; whether it is a good one is not said yet. */
  error: P2Error | undefined
  /**
   * What the provider may bill: `reported` with the usage in `completion`; `nothing` was generated; the request was
   * `unsent`; or `unknown`.
   */
  owed: "reported" | "nothing" | "unsent" | "unknown"
  httpStatus: number | undefined
  /** On the clock of `performance.now()`. */
  headersAt: number | undefined
  firstContentAt: number | undefined
}

/** Under which name an attempt is sent, and how its answer shall come. */
type Wanted = Pick<AttemptReceipt, "id" | "streamed">

/** Makes one HTTP call. Never rejects: what went wrong is in the result. */
export async function send(ask: Ask, plan: Plan, wanted: Wanted, attempt: Attempt): Promise<Sent> {
  const { race, run } = attempt
  const { id, streamed } = wanted
  const provider = ask.route.provider.name
  const sent: Sent = {
    completion: new Completion(),
    error: undefined,
    owed: "unsent",
    httpStatus: undefined,
    headersAt: undefined,
    firstContentAt: undefined,
  }
  if (race.error !== undefined) {
    sent.error = race.error
    return sent
  }
  const watch = wireWatch()
  const wire = watch.begin(id)
  race.start("connect", run.deadlines.connectMs, { applies: () => wire.state === "waiting" })
  if (streamed) race.start("first-content", run.deadlines.firstContentMs)
  const { completion } = sent
  try {
    const response = await race.race(call(ask, plan, wanted, attempt))
    sent.headersAt = performance.now()
    sent.httpStatus = response.status
    const generation = response.headers.get("x-generation-id")
    if (generation !== null) completion.generationId = generation.slice(0, 200)
    race.stop("connect")
    const onContent = () => {
      sent.firstContentAt ??= performance.now()
      run.onContent?.(completion)
    }
    const { idleMs } = run.deadlines
    await readCompletion(completion, { response, race, provider, stream: streamed, idleMs, onContent })
    sent.error = insideError(completion, provider)
    sent.owed = completion.usage === undefined ? "unknown" : "reported"
  } catch (error) {
    fail(sent, error, wire, ask, attempt)
  } finally {
    watch.end(id)
    race.stop("connect")
    race.stop("first-content")
    race.stop("idle")
  }
  return sent
}

function call(ask: Ask, plan: Plan, { id, streamed }: Wanted, { race }: Attempt): Promise<Response> {
  const { openai, provider } = ask.route
  const body = chatBody(ask, { maxTokens: plan.maxTokens, stream: streamed, maxPrice: plan.maxPrice })
  const options: OpenAI.RequestOptions = {
    signal: race.signal,
    maxRetries: 0,
    headers: { ...provider.headers, [REQUEST_ID_HEADER]: id },
    fetchOptions: sentOnce(openai),
  }
  // Ours fires first, unless the SDK waits for less. Timers of one length cost Node least.
  const { timeoutMs } = ask.request
  if (!(openai.timeout > timeoutMs)) options.timeout = timeoutMs + 60_000
  return openai.chat.completions.create(body as unknown as ChatBody, options).asResponse() as Promise<Response>
}

type ChatBody = OpenAI.ChatCompletionCreateParamsNonStreaming

function fail(sent: Sent, error: unknown, wire: Watched, ask: Ask, { race, run }: Attempt): void {
  // What the wire saw cannot be argued away: the error may be that of a second try of somebody's own fetch.
  const reached = wire.state === "sent" || (wire.state === "unseen" && !provesNotSent(error))
  const provider = ask.route.provider.name
  const now = run.clock.now()
  const status = statusError(error, provider, now) ?? statusError({ status: wire.withheld }, provider, now)
  if (status !== undefined) sent.completion.takeUsage(usageBesideError(error))
  sent.httpStatus = status?.status ?? sent.httpStatus
  if (race.error !== undefined) sent.error = race.error
  else if (status !== undefined) sent.error = errorOf(status, sent.completion)
  else if (!reached) sent.error = new ConnectionFailedError(provider, error)
  else sent.error = error instanceof ConnectionLostError ? error : new ConnectionLostError(provider, error)
  if (sent.completion.usage !== undefined) sent.owed = "reported"
  else if (status !== undefined) sent.owed = provesNothingOwed(sent.completion, status) ? "nothing" : "unknown"
  else sent.owed = reached ? "unknown" : "unsent"
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
