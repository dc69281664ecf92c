import type { ServerResponse } from "node:http"

/** Google's status names: https://ai.google.dev/gemini-api/docs/troubleshooting (2026-10-07). */
export const STATUS_NAMES: Readonly<Record<number, string>> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  429: "RESOURCE_EXHAUSTED",
  500: "INTERNAL",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
}

export function sendGeminiError(
  response: ServerResponse,
  status: number,
  message: string,
  headers: Record<string, string> = {},
): void {
  const error = { code: status, message, status: STATUS_NAMES[status] ?? "INTERNAL" }
  response.writeHead(status, { "content-type": "application/json; charset=UTF-8", ...headers })
  response.end(JSON.stringify({ error }))
}
