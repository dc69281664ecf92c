import { P2Error } from "@p2/core"
import { findProtocol } from "../protocols/find-protocol"
import type { ProviderCall } from "../protocols/protocol"
import { pollBackground } from "./background"
import { takeSubject } from "./call-subject"
import { type Guard, type GuardOptions, readGuardOptions } from "./guard-options"
import { type ReadCall, readCall } from "./read-call"
import { type CallToReserve, reserveCall } from "./reserve-call"
import { sendReserved } from "./send-reserved"
import { reportAttempt } from "./settle-call"
import { denialResponse, failureResponse, rejectionResponse } from "./synthetic-response"

/**
 * A `fetch` for the SDK of a provider. Before a call is sent, it reserves the most that the call can cost, in every limit of
 * the budget; afterwards it settles the actual cost. Each HTTP attempt of the SDK is reserved and settled by itself.
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
  return (input, init) => guardedFetch(guard, input, init)
}

/** One call of a guarded fetch. */
export async function guardedFetch(guard: Guard, ...[input, init]: Parameters<typeof fetch>): Promise<Response> {
  const read = await readCall(input, init)
  if (read.status === "too-large") return rejectionResponse(read.call, "invalid-body", read.message)
  if (read.signal?.aborted) throw read.signal.reason
  try {
    return await guardCall(guard, read)
  } catch (error) {
    // As fetch does. What was reserved is released or settled.
    if (read.signal?.aborted) throw read.signal.reason
    if (P2Error.isInstance(error)) return failureResponse(read.call, error)
    throw error
  }
}

async function guardCall(guard: Guard, read: Extract<ReadCall, { status: "read" }>): Promise<Response> {
  const { subject, headers } = takeSubject(read.call.headers)
  const call: ProviderCall = { ...read.call, headers }
  const described = findProtocol(call, guard)
  switch (described.status) {
    case "free":
      return guard.fetch(...read.argumentsFor({ headers }))
    case "rejected":
      if (described.reason === "unknown-endpoint" && guard.unknownEndpoints === "pass")
        return guard.fetch(...read.argumentsFor({ headers }))
      return rejectionResponse(call, described.reason, described.message)
    case "resumed":
      return pollBackground(guard, { read, headers, described, subject })
    case "priced":
      return sendPriced(guard, { read, headers, described, subject })
  }
}

async function sendPriced(guard: Guard, call: CallToReserve): Promise<Response> {
  const outcome = await reserveCall(guard, call)
  switch (outcome.status) {
    case "reserved":
      return sendReserved(guard, outcome.call)
    case "denied":
      reportAttempt(guard, call.described, { status: "denied" })
      return denialResponse(call.read.call, outcome.error)
    case "rejected":
      return failureResponse(call.read.call, outcome.error)
  }
}
