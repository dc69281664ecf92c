/** The wire format in which an SDK expects errors. */
export type ErrorFormat = "openai" | "anthropic" | "google"

/**
 * What each provider calls an error of a status:
 * https://platform.openai.com/docs/guides/error-codes, https://docs.anthropic.com/en/api/errors and
 * https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
 */
const NAMES = {
  400: { openai: "invalid_request_error", anthropic: "invalid_request_error", google: "INVALID_ARGUMENT" },
  401: { openai: "authentication_error", anthropic: "authentication_error", google: "UNAUTHENTICATED" },
  402: { openai: "insufficient_quota", anthropic: "billing_error", google: "RESOURCE_EXHAUSTED" },
  403: { openai: "permission_error", anthropic: "permission_error", google: "PERMISSION_DENIED" },
  404: { openai: "invalid_request_error", anthropic: "not_found_error", google: "NOT_FOUND" },
  413: { openai: "invalid_request_error", anthropic: "request_too_large", google: "INVALID_ARGUMENT" },
  426: { openai: "invalid_request_error", anthropic: "invalid_request_error", google: "UNIMPLEMENTED" },
  499: { openai: "invalid_request_error", anthropic: "invalid_request_error", google: "CANCELLED" },
  502: { openai: "server_error", anthropic: "api_error", google: "UNAVAILABLE" },
  503: { openai: "server_error", anthropic: "api_error", google: "UNAVAILABLE" },
} as const

export type ErrorStatus = keyof typeof NAMES

/** An error of the guard or the proxy. */
export interface ShownError {
  status: ErrorStatus
  /** The status whose name the error has. @defaultValue `status` */
  namedAs?: ErrorStatus
  code: string
  message: string
  /** JSON under the key `p2`. */
  details?: unknown
}

/** The JSON of an error. */
export function errorBody(format: ErrorFormat, error: ShownError): string {
  const { status, namedAs = status, code, message, details } = error
  const name = NAMES[namedAs][format]
  const p2 = details === undefined ? {} : { p2: details }
  switch (format) {
    case "anthropic":
      return JSON.stringify({ type: "error", error: { type: name, message, code, ...p2 } })
    case "google":
      return JSON.stringify({ error: { code: status, message, status: name, reason: code, ...p2 } })
    case "openai":
      return JSON.stringify({ error: { message, type: name, param: null, code, ...p2 } })
  }
}
