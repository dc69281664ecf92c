import { CREDENTIAL_HEADERS } from "./credentials"

/** Headers of one connection, not of the call: https://www.rfc-editor.org/rfc/rfc9110.html#section-7.6.1 */
const HOP_BY_HOP = [
  ...["connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization"],
  ...["te", "trailer", "transfer-encoding", "upgrade"],
] as const

/** Headers of a request that its upstream must not see, or that the inner fetch writes itself. */
const NOT_SENT: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  ...CREDENTIAL_HEADERS,
  ...["host", "content-length", "accept-encoding", "expect", "cookie", "origin"],
  // Headers with the caller's address.
  ...["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "x-real-ip"],
  // Headers that select who is billed. The owner of the key decides that, by `headers` of the upstream.
  ...["openai-organization", "openai-project", "x-goog-user-project"],
])

/** Headers of a response that belong to the connection with the upstream. The body is decoded. */
const NOT_RETURNED: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  ...["content-length", "content-encoding", "set-cookie", "alt-svc", "strict-transport-security"],
  ...["x-p2-cost-usd", "x-p2-remaining-usd"],
])

/** The headers of a request that are passed on. A header that contains the caller's token, wherever it is, is not. */
export function headersToSend(headers: Headers, token: string | undefined): Headers {
  const passed = new Headers()
  const named = namedByConnection(headers)
  for (const [name, value] of headers) {
    const isRemoved = NOT_SENT.has(name) || named.includes(name) || name.startsWith("sec-")
    if (!isRemoved && !(token !== undefined && value.includes(token))) passed.append(name, value)
  }
  passed.set("accept-encoding", "identity")
  return passed
}

/** Removes the response headers that are not forwarded, including any that contains the key. */
export function removeHeaders(headers: Headers, key: string | undefined): void {
  const named = namedByConnection(headers)
  for (const [name, value] of [...headers])
    if (NOT_RETURNED.has(name) || named.includes(name) || (key !== undefined && value.includes(key)))
      headers.delete(name)
}

/** `connection` names further headers of the connection. */
function namedByConnection(headers: Headers): string[] {
  return (
    headers
      .get("connection")
      ?.toLowerCase()
      .split(/[\s,]+/) ?? []
  )
}
