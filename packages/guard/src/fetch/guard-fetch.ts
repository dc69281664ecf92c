import { P2Error } from "@p2/core"
import { describeCall } from "../protocols/describe-call"
import type { ProviderCall } from "../protocols/protocol"
import { isCounted } from "../transport/counted-call"
import { type BackgroundPoll, pollBackground } from "./background"
import { pollBatch } from "./batch/poll-batch"
import type { PolledBatch } from "./batch/polled-batch"
import { describeStart, uploadBatch } from "./batch/start-batch"
import { checkUnguarded, GUARDED, type Guard, type GuardOptions, readGuardOptions } from "./guard-options"
import { type ReadCall, readCall } from "./read-call"
import { type DescribedCall, type ReservedCall, reserveCall } from "./reserve-call"
import { takeSubject } from "./scope/call-subject"
import { sendPassed } from "./send-passed"
import { sendReserved } from "./send-reserved"
import { reportAttempt } from "./settle-call"
import { circuitResponse, denialResponse, failureResponse, rejectionResponse } from "./synthetic-response"

/**
 * A `fetch` for a provider's SDK. Before a call is sent, it reserves the most that the call can cost, in every limit of
 * the budget; afterwards it settles the actual cost. Each HTTP attempt of the SDK is reserved and settled separately.
 *
 * A call that the budget denies is not sent: the response has status 402 in the provider's error shape, which no SDK
 * retries, and `budgetErrorFrom` finds the `BudgetExceededError` in the SDK's error. A call whose cost has no upper bound gets
 * status 400, and a call while the store fails status 503, both without being sent.
 *
 * @throws InvalidArgumentError if an option is invalid
 *
 * @example
 * const openai = new OpenAI({ fetch: guardFetch({ budget }) })
 */
export function guardFetch(options: GuardOptions): typeof fetch {
  const guard = readGuardOptions(options)
  if (options.fetch === undefined) checkUnguarded(globalThis.fetch)
  const guarded: typeof fetch = (input, init) => guardedFetch(guard, input, init)
  return Object.defineProperty(guarded, GUARDED, { value: true })
}

/** One call of a guarded fetch. */
export async function guardedFetch(guard: Guard, ...[input, init]: Parameters<typeof fetch>): Promise<Response> {
  const read = await readCall(input, init)
  if (read.status === "too-large")
    return rejectionResponse(read.call, { reason: "invalid-body", message: read.message }, guard)
  const { signal, call } = read
  if (signal?.aborted) throw signal.reason
  const prepared = await prepare(guard, read).catch((error: unknown): PreparedCall => {
    // Rejects as fetch does. Nothing stays reserved.
    if (signal?.aborted) throw signal.reason
    if (P2Error.isInstance(error)) return { status: "not-sent", response: failureResponse(call, error, guard) }
    throw error
  })
  switch (prepared.status) {
    case "not-sent":
      return prepared.response
    case "free":
      return guard.fetch(...read.argumentsFor({ headers: prepared.headers }))
    case "passed":
      return sendPassed(guard, read, prepared.headers)
    case "poll":
      return pollBackground(guard, prepared.poll)
    case "batch-upload":
      return uploadBatch(guard, read, prepared.headers)
    case "batch-poll":
      return pollBatch(guard, prepared.poll)
    case "reserved":
      return sendReserved(guard, prepared.call)
  }
}

/** What to do with a call. */
type PreparedCall =
  | { status: "not-sent"; response: Response }
  /** `passed`: the options send it without a limit. */
  | { status: "free" | "passed" | "batch-upload"; headers: Headers }
  | { status: "poll"; poll: BackgroundPoll }
  | { status: "batch-poll"; poll: PolledBatch }
  | { status: "reserved"; call: ReservedCall }

async function prepare(guard: Guard, read: Extract<ReadCall, { status: "read" }>): Promise<PreparedCall> {
  const { subject, headers } = takeSubject(read.call.headers)
  const call: ProviderCall = { ...read.call, headers }
  const described = describeCall(call, guard)
  switch (described.status) {
    case "free":
      return { status: "free", headers }
    case "rejected":
      if (described.reason === "unknown-endpoint" && guard.unknownEndpoints === "pass")
        return { status: "passed", headers }
      return { status: "not-sent", response: rejectionResponse(call, described, guard) }
    case "resumed":
      return { status: "poll", poll: { read, headers, described, subject } }
    case "batch-upload":
      return { status: "batch-upload", headers }
    case "batch-poll":
      return { status: "batch-poll", poll: { read, headers, described, subject } }
    case "batch-start": {
      const started = describeStart(guard, call, described)
      if (started.status === "rejected")
        return { status: "not-sent", response: rejectionResponse(call, started, guard) }
      return reserve(guard, { read, headers, described: started, subject })
    }
    case "priced":
      if (isCounted(headers)) return { status: "not-sent", response: rejectionResponse(call, GUARDED_TWICE, guard) }
      return reserve(guard, { read, headers, described, subject })
  }
}

const GUARDED_TWICE = {
  reason: "guarded-twice",
  message:
    "This call is counted already, by another guarded fetch, a client of @p2/client or budgetMiddleware around this one. Guard each call once.",
}

async function reserve(guard: Guard, call: DescribedCall): Promise<PreparedCall> {
  const { subject, read, headers } = call
  const rejection = guard.rejectModels?.(call.described.models ?? [call.described.model])
  if (rejection !== undefined) return { status: "not-sent", response: rejection }
  const { signal } = read
  const toBound = {
    call: { ...read.call, headers },
    described: call.described,
    context: guard,
    fetch: guard.fetch,
    signal,
  }
  const { described, onInputReported } = await guard.inputBounds.bound(toBound)
  const request = { described, subject, signal, attempt: attemptOf(headers) }
  const outcome = await reserveCall(guard, request)
  switch (outcome.status) {
    case "reserved":
      return { status: "reserved", call: Object.assign({}, call, { described, onInputReported }, outcome.reserved) }
    case "denied":
      reportAttempt(guard, call.described, { status: "denied", limits: outcome.error.all })
      return { status: "not-sent", response: denialResponse(call.read.call, outcome.error, guard) }
    case "rejected":
      return { status: "not-sent", response: circuitResponse(call.read.call, outcome.error, guard) }
  }
}

/** OpenAI's and Anthropic's SDKs send their retry count in a header. */
function attemptOf(headers: Headers): number {
  const retries = Number(headers.get("x-stainless-retry-count") ?? 0)
  return Number.isSafeInteger(retries) && retries >= 0 ? retries + 1 : 1
}
