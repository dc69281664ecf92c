import type { P2Error } from "@p2/core"
import { ConnectionFailedError, ConnectionLostError, ContentFilteredError, type ProviderError } from "../client-errors"
import { usageBesideError } from "../fetch-with-error-limit"
import type { AttemptReceipt } from "../receipt"
import { type Ask, chatBody } from "./chat-body"
import { Completion } from "./completion"
import { provesNotSent } from "./not-sent"
import type { Plan } from "./plan-attempt"
import { failedGeneration, insideError, isFiltered, isFree, statusError } from "./provider-failure"
import { readCompletion } from "./read-completion"
import type { Attempt } from "./run-setting"
import { sentOnce } from "./sent-once"
import { REQUEST_ID_HEADER, wireWatch } from "./wire-watch"

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

/** Makes one HTTP call. Never rejects: what went wrong is in the result. */
export async function send(
  ask: Ask,
  plan: Plan,
  { id, streamed }: Pick<AttemptReceipt, "id" | "streamed">,
  attempt: Attempt,
): Promise<Sent> {
  const { race, run } = attempt
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
  watch.begin(id, () => race.stop("connect"))
  race.start("connect", run.deadlines.connectMs, { applies: () => watch.state(id) === "waiting" })
  if (streamed) race.start("first-content", run.deadlines.firstContentMs)
  try {
    await exchange(sent, ask, plan, { id, streamed }, attempt)
    sent.error = insideError(sent.completion, provider)
    sent.owed = sent.completion.usage === undefined ? "unknown" : "reported"
  } catch (error) {
    // What the wire saw cannot be argued away: the error may be that of a second try of somebody's own fetch.
    const state = watch.state(id)
    const reached = state === "sent" || (state === "unseen" && !provesNotSent(error))
    fail(sent, error, watch.withheld(id), reached, ask, attempt)
  } finally {
    watch.end(id)
    race.stop("connect")
    race.stop("first-content")
    race.stop("idle")
  }
  return sent
}

async function exchange(
  sent: Sent,
  ask: Ask,
  plan: Plan,
  { id, streamed }: Pick<AttemptReceipt, "id" | "streamed">,
  attempt: Attempt,
): Promise<void> {
  const { openai, provider } = ask.route
  const { race, run } = attempt
  const { completion } = sent
  const body = chatBody(ask, { maxTokens: plan.maxTokens, stream: streamed, maxPrice: plan.maxPrice })
  const call = openai.chat.completions.create(body as unknown as Parameters<typeof openai.chat.completions.create>[0], {
    signal: race.signal,
    maxRetries: 0,
    // Ours fires first; this one only stops the SDK from waiting for less. Timers of one length cost Node least.
    timeout: ask.request.timeoutMs + 60_000,
    headers: { ...provider.headers, [REQUEST_ID_HEADER]: id },
    fetchOptions: sentOnce(openai),
  })
  const response = (await race.race(call.asResponse())) as Response
  sent.headersAt = performance.now()
  sent.httpStatus = response.status
  const generation = response.headers.get("x-generation-id")
  if (generation !== null) completion.generationId = generation.slice(0, 200)
  race.stop("connect")
  await readCompletion(completion, {
    response,
    race,
    provider: provider.name,
    stream: streamed,
    idleMs: run.deadlines.idleMs,
    onContent: () => {
      sent.firstContentAt ??= performance.now()
      run.onContent?.(completion)
    },
  })
}

function fail(
  sent: Sent,
  error: unknown,
  withheld: number | undefined,
  reached: boolean,
  ask: Ask,
  { race, run }: Attempt,
): void {
  const provider = ask.route.provider.name
  const now = run.clock.now()
  const status =
    statusError(error, provider, now) ??
    (withheld === undefined ? undefined : statusError({ status: withheld }, provider, now))
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
  if (answer === undefined) return isFiltered(status) ? new ContentFilteredError(status) : status
  completion.take({ choices: [{ message: { content: answer } }] })
  return undefined
}
