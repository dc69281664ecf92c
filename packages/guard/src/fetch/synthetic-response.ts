import type { BudgetExceededError } from "@p2/budget"
import type { P2Error } from "@p2/core"
import type { ProviderCall } from "../protocols/protocol"
import { rememberDenial } from "./remembered-denials"

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
 * The response to a call that was not sent for another reason: 503 if the store failed or the provider's circuit is open,
 * 400 if the caller has to change something. SDKs do not retry either.
 */
export function failureResponse(call: ProviderCall, error: P2Error): Response {
  const { retryAfterMs } = error as { retryAfterMs?: unknown }
  const headers = typeof retryAfterMs === "number" ? retryAfterHeaders(retryAfterMs) : {}
  const status = error.kind === "usage" ? 400 : 503
  return errorResponse(call, { status, code: error.code.replaceAll("-", "_"), message: error.message, headers })
}

/** The response to a call whose cost is not understood or has no upper bound: status 400. */
export function rejectionResponse(call: ProviderCall, reason: string, message: string): Response {
  return errorResponse(call, { status: 400, code: reason.replaceAll("-", "_"), message, headers: {} })
}

interface SyntheticError {
  status: 400 | 402 | 503
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

function errorBody(shape: ErrorShape, { status, code, message, details }: SyntheticError): unknown {
  const p2 = details === undefined ? {} : { p2: details }
  switch (shape) {
    case "anthropic":
      return { type: "error", error: { type: ANTHROPIC_TYPES[status], message, code, ...p2 } }
    case "google":
      return { error: { code: status, message, status: GOOGLE_STATUSES[status], reason: code, ...p2 } }
    case "openai":
      return { error: { message, type: OPENAI_TYPES[status], param: null, code, ...p2 } }
  }
}

// https://docs.anthropic.com/en/api/errors
const ANTHROPIC_TYPES = { 400: "invalid_request_error", 402: "billing_error", 503: "api_error" } as const
// https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
const GOOGLE_STATUSES = { 400: "INVALID_ARGUMENT", 402: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE" } as const
// https://platform.openai.com/docs/guides/error-codes
const OPENAI_TYPES = { 400: "invalid_request_error", 402: "insufficient_quota", 503: "server_error" } as const

/** The shape that the caller expects, also for paths that no protocol describes. */
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
