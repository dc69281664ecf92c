/** The wire format in which an SDK expects errors. */
export type ErrorFormat = "openai" | "anthropic" | "google"

/**
 * What each provider calls an error of a status:
 * https://platform.openai.com/docs/guides/error-codes, https://docs.anthropic.com/en/api/errors and
 * https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
 */
export const ERROR_NAMES = {
  400: { openai: "invalid_request_error", anthropic: "invalid_request_error", google: "INVALID_ARGUMENT" },
  402: { openai: "insufficient_quota", anthropic: "billing_error", google: "RESOURCE_EXHAUSTED" },
  503: { openai: "server_error", anthropic: "api_error", google: "UNAVAILABLE" },
} as const

/** An error of the guard or the proxy. */
export interface ShownError {
  status: number
  names: Readonly<Record<ErrorFormat, string>>
  code: string
  message: string
  /** JSON under the key `p2`. */
  details?: unknown
}

/** The JSON of an error. */
export function errorBody(format: ErrorFormat, error: ShownError): string {
  const { status, names, code, message, details } = error
  const name = names[format]
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
