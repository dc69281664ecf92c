import { ERROR_NAMES, type ErrorFormat, errorBody } from "../fetch/errors/error-body"

/** What each provider calls an error of a status. Sources: {@link ERROR_NAMES}. */
const NAMES = {
  400: ERROR_NAMES[400],
  401: { openai: "authentication_error", anthropic: "authentication_error", google: "UNAUTHENTICATED" },
  403: { openai: "permission_error", anthropic: "permission_error", google: "PERMISSION_DENIED" },
  404: { openai: "invalid_request_error", anthropic: "not_found_error", google: "NOT_FOUND" },
  413: { openai: "invalid_request_error", anthropic: "request_too_large", google: "INVALID_ARGUMENT" },
  426: { openai: "invalid_request_error", anthropic: "invalid_request_error", google: "UNIMPLEMENTED" },
  499: { openai: "invalid_request_error", anthropic: "invalid_request_error", google: "CANCELLED" },
  502: { openai: "server_error", anthropic: "api_error", google: "UNAVAILABLE" },
  503: ERROR_NAMES[503],
} as const

/** Why the proxy itself answers a request with an error. */
export type ProxyErrorCode = keyof typeof STATUSES

/** Documented in docs/proxy.md. */
const STATUSES = {
  invalid_request: 400,
  invalid_token: 401,
  upstream_unavailable: 401,
  host_not_allowed: 403,
  origin_not_allowed: 403,
  model_not_allowed: 403,
  unknown_upstream: 404,
  body_too_large: 413,
  upgrade_not_supported: 426,
  client_closed: 499,
  upstream_failed: 502,
  upstream_redirected: 502,
  authentication_failed: 503,
} as const satisfies Record<string, keyof typeof NAMES>

/** Codes whose request may succeed when it is sent again. */
const RETRYABLE: readonly ProxyErrorCode[] = ["upstream_failed", "authentication_failed"]

/** A response of the proxy itself, in the error format of the provider. */
export function proxyError(
  format: ErrorFormat,
  code: ProxyErrorCode,
  message: string,
  headers: Record<string, string> = {},
): Response {
  const status = STATUSES[code]
  return new Response(errorBody(format, { status, names: NAMES[status], code, message }), {
    status,
    headers: {
      "content-type": "application/json",
      "x-should-retry": String(RETRYABLE.includes(code)),
      ...headers,
    },
  })
}
