import { InvalidArgumentError } from "@p2/core"
import { type Authenticate, checkCaller, type ProxyCaller } from "./proxy-options"

/** Where SDKs put their key. Google's also put it into the query, as `key`. */
export const CREDENTIAL_HEADERS = ["authorization", "x-api-key", "x-goog-api-key", "api-key"] as const

/** The token that a caller sent instead of the provider's key. */
export type SentToken =
  | { status: "none" }
  | { status: "sent"; token: string }
  /** Several places with different tokens: it is not clear who calls. */
  | { status: "ambiguous" }

/** Reads the token from wherever an SDK puts its key. */
export function readToken(headers: Headers, url: URL): SentToken {
  const values = [...CREDENTIAL_HEADERS.map((name) => headers.get(name)), ...url.searchParams.getAll("key")]
  const tokens = new Set(values.flatMap((value) => (value === null ? [] : [value.replace(/^Bearer +/i, "").trim()])))
  tokens.delete("")
  const [token] = tokens
  if (token === undefined) return { status: "none" }
  return tokens.size === 1 ? { status: "sent", token } : { status: "ambiguous" }
}

/** The query without `key` and what contains the token. Rewritten only then, because that may change its spelling. */
export function queryWithoutToken({ search, searchParams }: URL, token: string | undefined): string {
  const kept = [...searchParams].filter(
    ([name, value]) => name !== "key" && !(token !== undefined && `${name}=${value}`.includes(token)),
  )
  return kept.length === searchParams.size ? search : new URLSearchParams(kept).toString()
}

/**
 * Accepts one token, compared in constant time, for one caller.
 *
 * @param token at least 16 characters
 * @param caller the subject and the budget of its calls. @defaultValue the budget of the proxy, without a subject
 * @throws InvalidArgumentError if the token is shorter, or the caller is invalid
 * @example
 * createProxy({ budget, upstreams, authenticate: acceptToken(token, { subject: { userId: "ada" } }) })
 */
export function acceptToken(token: string, caller: ProxyCaller = {}): Authenticate {
  if (typeof token !== "string" || token.length < 16)
    throw new InvalidArgumentError(
      "token",
      "at least 16 characters",
      undefined,
      "Invalid `token`: expected at least 16 characters.",
    )
  checkCaller(caller)
  return (sent) => (sent !== undefined && isEqual(sent, token) ? caller : undefined)
}

/** Compares all characters, so that the time does not reveal how many match. */
function isEqual(sent: string, expected: string): boolean {
  let difference = sent.length ^ expected.length
  for (let index = 0; index < expected.length; index++)
    difference |= sent.charCodeAt(index) ^ expected.charCodeAt(index)
  return difference === 0
}
