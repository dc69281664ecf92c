import type { BudgetExceededError } from "@p2/budget"
import type { P2Error } from "@p2/core"
import type { CircuitOpenError } from "../charge/circuit/circuit-open-error"
import type { ProviderCall } from "../protocols/protocol"
import { circuitDetails } from "./errors/circuit-error-from"
import { rememberDenial } from "./errors/remembered-denials"

/** The wire format in which an SDK expects errors. */
type ErrorShape = "openai" | "anthropic" | "google"

/** The id of a denial in the headers of its response; {@link budgetErrorFrom} looks the error up by it. */
export const DENIAL_HEADER = "x-p2-denial"

/**
 * The response to a call that the budget denied: status 402, which no SDK retries. The body has the provider's shape and
 * the numbers of the denial, so that another process can rebuild the error.
 */
export function denialResponse(call: ProviderCall, error: BudgetExceededError): Response {
  const id = rememberDenial(error)
  const { all, dueLeases, retryAfterMs, message } = error
  const details = { id, dueLeases, limits: all }
  const headers = { [DENIAL_HEADER]: id, ...retryAfterHeaders(retryAfterMs) }
  return errorResponse(call, { status: 402, code: "budget_exceeded", message, details, headers })
}

/**
 * The response to a call that the circuit breaker rejected: status 402, because the AI SDK and LangChain retry a 503 at once.
 * The body names a failure of the server and has the numbers, from which `circuitErrorFrom` rebuilds the error.
 */
export function circuitResponse(call: ProviderCall, error: CircuitOpenError): Response {
  const { retryAfterMs, message } = error
  const headers = retryAfterHeaders(retryAfterMs)
  const details = circuitDetails(error)
  return errorResponse(call, { status: 402, names: NAMES[503], code: "circuit_open", message, details, headers })
}

/**
 * The response to a call that was not sent for another reason: 503 if the store failed, 400 if the caller has to change
 * something.
 */
export function failureResponse(call: ProviderCall, error: P2Error): Response {
  const status = error.kind === "usage" ? 400 : 503
  return errorResponse(call, { status, code: error.code.replaceAll("-", "_"), message: error.message, headers: {} })
}

/** The response to a call whose cost is not understood or has no upper bound: status 400. */
export function rejectionResponse(call: ProviderCall, reason: string, message: string): Response {
  return errorResponse(call, { status: 400, code: reason.replaceAll("-", "_"), message, headers: {} })
}

/**
 * The response to a call that was redirected: status 400, because the SDK would retry an exception, and each retry is sent and
 * charged. The target is not shown: it may have a key.
 */
export function redirectResponse(call: ProviderCall, status: number): Response {
  const message = `${call.url.host} redirected the call (status ${status}), which a guarded fetch does not follow. Set the base URL of the SDK to the host and scheme that answer.`
  return errorResponse(call, { status: 400, code: "redirected", message, headers: {} })
}

interface SyntheticError {
  status: 400 | 402 | 503
  /** What the providers call the error. @defaultValue by the status */
  names?: (typeof NAMES)[keyof typeof NAMES]
  code: string
  message: string
  /** JSON under the key `p2`. */
  details?: unknown
  headers: Record<string, string>
}

function errorResponse(call: ProviderCall, error: SyntheticError): Response {
  const body = JSON.stringify(errorBody(shapeOf(call), error))
  const headers = { "content-type": "application/json", "x-should-retry": "false", ...error.headers }
  const response = new Response(body, { status: error.status, headers })
  return Object.defineProperty(response, "url", { value: call.url.href })
}

function errorBody(
  shape: ErrorShape,
  { status, names = NAMES[status], code, message, details }: SyntheticError,
): unknown {
  const p2 = details === undefined ? {} : { p2: details }
  switch (shape) {
    case "anthropic":
      return { type: "error", error: { type: names.anthropic, message, code, ...p2 } }
    case "google":
      return { error: { code: status, message, status: names.google, reason: code, ...p2 } }
    case "openai":
      return { error: { message, type: names.openai, param: null, code, ...p2 } }
  }
}

/**
 * The names of errors at each provider:
 * https://platform.openai.com/docs/guides/error-codes, https://docs.anthropic.com/en/api/errors and
 * https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
 */
const NAMES = {
  400: { openai: "invalid_request_error", anthropic: "invalid_request_error", google: "INVALID_ARGUMENT" },
  402: { openai: "insufficient_quota", anthropic: "billing_error", google: "RESOURCE_EXHAUSTED" },
  503: { openai: "server_error", anthropic: "api_error", google: "UNAVAILABLE" },
} as const

/** The shape that the caller expects, even for paths that no protocol describes. */
function shapeOf({ url, headers }: ProviderCall): ErrorShape {
  if (headers.has("anthropic-version") || /\/messages(\/|$)/.test(url.pathname)) return "anthropic"
  if (headers.has("x-goog-api-key") || /:[A-Za-z]+$/.test(url.pathname)) return "google"
  return "openai"
}

/** `retry-after` counts whole seconds; `retry-after-ms` is read by the OpenAI and Anthropic SDKs. */
function retryAfterHeaders(retryAfterMs: number | null): Record<string, string> {
  if (retryAfterMs === null) return {}
  return { "retry-after": `${Math.ceil(retryAfterMs / 1000)}`, "retry-after-ms": `${Math.ceil(retryAfterMs)}` }
}
