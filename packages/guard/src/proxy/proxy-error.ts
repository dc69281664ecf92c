import type { ErrorFormat } from "./upstream"

/** Why the proxy itself answers a request with an error. */
export type ProxyErrorCode = keyof typeof ERRORS

/** Statuses, and the types of each provider's errors. Docs: docs/proxy.md. */
const ERRORS = {
  invalid_request: {
    status: 400,
    openai: "invalid_request_error",
    anthropic: "invalid_request_error",
    google: "INVALID_ARGUMENT",
  },
  invalid_token: {
    status: 401,
    openai: "authentication_error",
    anthropic: "authentication_error",
    google: "UNAUTHENTICATED",
  },
  upstream_unavailable: {
    status: 401,
    openai: "authentication_error",
    anthropic: "authentication_error",
    google: "UNAUTHENTICATED",
  },
  host_not_allowed: {
    status: 403,
    openai: "permission_error",
    anthropic: "permission_error",
    google: "PERMISSION_DENIED",
  },
  origin_not_allowed: {
    status: 403,
    openai: "permission_error",
    anthropic: "permission_error",
    google: "PERMISSION_DENIED",
  },
  model_not_allowed: {
    status: 403,
    openai: "permission_error",
    anthropic: "permission_error",
    google: "PERMISSION_DENIED",
  },
  unknown_upstream: { status: 404, openai: "invalid_request_error", anthropic: "not_found_error", google: "NOT_FOUND" },
  body_too_large: {
    status: 413,
    openai: "invalid_request_error",
    anthropic: "request_too_large",
    google: "INVALID_ARGUMENT",
  },
  upgrade_not_supported: {
    status: 426,
    openai: "invalid_request_error",
    anthropic: "invalid_request_error",
    google: "UNIMPLEMENTED",
  },
  client_closed: {
    status: 499,
    openai: "invalid_request_error",
    anthropic: "invalid_request_error",
    google: "CANCELLED",
  },
  upstream_failed: { status: 502, openai: "server_error", anthropic: "api_error", google: "UNAVAILABLE" },
  upstream_redirected: { status: 502, openai: "server_error", anthropic: "api_error", google: "UNAVAILABLE" },
  authentication_failed: { status: 503, openai: "server_error", anthropic: "api_error", google: "UNAVAILABLE" },
} as const

/** Codes whose request may succeed when it is sent again. */
const RETRYABLE: readonly ProxyErrorCode[] = ["upstream_failed", "authentication_failed"]

/** A response of the proxy itself, in the error format of the provider. */
export function proxyError(
  format: ErrorFormat,
  code: ProxyErrorCode,
  message: string,
  headers: Record<string, string> = {},
): Response {
  const { status, [format]: type } = ERRORS[code]
  const body = JSON.stringify(errorBody(format, { status, type, code, message }))
  return new Response(body, {
    status,
    headers: {
      "content-type": "application/json",
      "x-should-retry": String(RETRYABLE.includes(code)),
      ...headers,
    },
  })
}

function errorBody(
  format: ErrorFormat,
  error: { status: number; type: string; code: string; message: string },
): unknown {
  const { status, type, code, message } = error
  switch (format) {
    case "anthropic":
      return { type: "error", error: { type, message, code } }
    case "google":
      return { error: { code: status, message, status: type, reason: code } }
    case "openai":
      return { error: { message, type, param: null, code } }
  }
}
