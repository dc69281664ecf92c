import type { BudgetExceededError } from "@p2/budget"
import type { P2Error } from "@p2/core"
import type { CircuitOpenError } from "../charge/circuit/circuit-open-error"
import type { ProviderCall } from "../protocols/protocol"
import { circuitDetails } from "./errors/circuit-error-from"
import { ERROR_NAMES, type ErrorFormat, errorBody, type ShownError } from "./errors/error-body"
import { rememberDenial } from "./errors/remembered-denials"
import type { Guard } from "./guard-options"

/** The id of a denial in the headers of its response; {@link budgetErrorFrom} looks the error up by it. */
export const DENIAL_HEADER = "x-p2-denial"

/**
 * The response to a call that the budget denied: status 402, which no SDK retries. The body has the provider's shape and
 * the numbers of the denial, so that another process can rebuild the error.
 */
export function denialResponse(call: ProviderCall, error: BudgetExceededError, guard: ErrorContext): Response {
  const id = rememberDenial(error)
  const { all, dueLeases, retryAfterMs, message } = error
  const details = { id, dueLeases, limits: all }
  const headers = { [DENIAL_HEADER]: id, ...retryAfterHeaders(retryAfterMs) }
  return errorResponse(call, { status: 402, code: "budget_exceeded", message, details, headers }, guard)
}

/**
 * The response to a call that the circuit breaker rejected: status 402, because the AI SDK and LangChain retry a 503
 * immediately. The body reports a server failure with the numbers, from which `circuitErrorFrom` rebuilds the error.
 */
export function circuitResponse(call: ProviderCall, error: CircuitOpenError, guard: ErrorContext): Response {
  const { retryAfterMs, message } = error
  const headers = retryAfterHeaders(retryAfterMs)
  const details = circuitDetails(error)
  const circuitOpen = { status: 402, names: ERROR_NAMES[503], code: "circuit_open", message, details, headers } as const
  return errorResponse(call, circuitOpen, guard)
}

/**
 * The response to a call that was not sent for another reason: 503 if the store failed, 400 if the caller has to change
 * something.
 */
export function failureResponse(call: ProviderCall, error: P2Error, guard: ErrorContext): Response {
  const status = error.kind === "usage" ? 400 : 503
  return errorResponse(call, { status, code: error.code.replaceAll("-", "_"), message: error.message }, guard)
}

/** The response to a call whose cost is not understood or has no upper bound: status 400. */
export function rejectionResponse(
  call: ProviderCall,
  { reason, message }: { reason: string; message: string },
  guard: ErrorContext,
): Response {
  return errorResponse(call, { status: 400, code: reason.replaceAll("-", "_"), message }, guard)
}

/**
 * The response to a call that was redirected: status 400, because the SDK would retry an exception, and each retry is sent and
 * charged. The target is not shown: it may have a key.
 */
export function redirectResponse(call: ProviderCall, status: number): Response {
  const message = `${call.url.host} redirected the call (status ${status}), which a guarded fetch does not follow. Set the base URL of the SDK to the final host and scheme.`
  return errorResponse(call, { status: 400, code: "redirected", message })
}

interface SyntheticError extends Omit<ShownError, "names">, Partial<Pick<ShownError, "names">> {
  status: keyof typeof ERROR_NAMES
  headers?: Record<string, string>
}

/** For whom the message is. */
type ErrorContext = Pick<Guard, "messageForCallers">

function errorResponse(
  call: ProviderCall,
  { headers, ...error }: SyntheticError,
  { messageForCallers }: ErrorContext = {},
): Response {
  const message = messageForCallers?.(error.message) ?? error.message
  const response = new Response(errorBody(formatOf(call), { names: ERROR_NAMES[error.status], ...error, message }), {
    status: error.status,
    headers: { "content-type": "application/json", "x-should-retry": "false", ...headers },
  })
  return Object.defineProperty(response, "url", { value: call.url.href })
}

/** The format that the caller expects, even for paths that no protocol describes. */
function formatOf({ url, headers }: ProviderCall): ErrorFormat {
  if (headers.has("anthropic-version") || /\/messages(\/|$)/.test(url.pathname)) return "anthropic"
  if (headers.has("x-goog-api-key") || /:[A-Za-z]+$/.test(url.pathname)) return "google"
  return "openai"
}

/** `retry-after` counts whole seconds; `retry-after-ms` is read by the OpenAI and Anthropic SDKs. */
function retryAfterHeaders(retryAfterMs: number | null): Record<string, string> {
  if (retryAfterMs === null) return {}
  return { "retry-after": `${Math.ceil(retryAfterMs / 1000)}`, "retry-after-ms": `${Math.ceil(retryAfterMs)}` }
}
