import { formatUsd, type NanoUsd } from "@p2/core"
import type { GuardAttempt } from "../fetch/guard-options"
import { removeHeaders } from "./passed-headers"

/** What the proxy adds to a response, and what it removes. */
export interface ReturnedWith {
  /** Undefined: the call cost nothing, or its stream has not ended. */
  attempt: GuardAttempt | undefined
  /** The key that was sent, which a provider may quote in an error. */
  key: string | undefined
}

/** The response for the caller: the same bytes, except that an error does not show the key. */
export async function responseToReturn(response: Response, { attempt, key }: ReturnedWith): Promise<Response> {
  const added = costHeaders(attempt)
  if (response.ok || key === undefined) return withHeaders(response, key, added)
  const { status, statusText, headers } = response
  const bytes = await withoutKey(response, key)
  return withHeaders(new Response(bytes, { status, statusText, headers }), key, added)
}

function withHeaders(response: Response, key: string | undefined, added: Record<string, string>): Response {
  const changed = withMutableHeaders(response)
  removeHeaders(changed.headers, key)
  for (const [name, value] of Object.entries(added)) changed.headers.set(name, value)
  return changed
}

/** The headers of a fetched response cannot be changed, those of a response that the guard made can. */
function withMutableHeaders(response: Response): Response {
  const { body, status, statusText, headers } = response
  try {
    headers.delete("x-p2-cost-usd")
    return response
  } catch {
    return new Response(body, { status, statusText, headers })
  }
}

async function withoutKey(response: Response, key: string): Promise<Uint8Array<ArrayBuffer> | null> {
  if (response.body === null) return null
  const bytes = new Uint8Array(await response.arrayBuffer())
  const text = new TextDecoder().decode(bytes)
  return text.includes(key) ? new TextEncoder().encode(text.replaceAll(key, "[redacted]")) : bytes
}

/** Dollars, exact to the nano-dollar. A limit that does not count dollars has no remaining amount. */
function costHeaders(attempt: GuardAttempt | undefined): Record<string, string> {
  // The cost of a call without a limit is unknown.
  if (attempt === undefined || attempt.status === "passed") return {}
  const remaining = remainingOf(attempt)
  return {
    "x-p2-cost-usd": dollars(attempt.costNanoUsd),
    ...(remaining !== undefined && { "x-p2-remaining-usd": dollars(remaining) }),
  }
}

/** The smallest remaining amount of all limits, as the store reported it for this call, with the actual cost. */
function remainingOf({ status, limits, reservedNanoUsd, costNanoUsd }: GuardAttempt): NanoUsd | undefined {
  const released = status === "continued" ? 0 : reservedNanoUsd - costNanoUsd
  const amounts = limits.flatMap(({ remainingNanoUsd }) =>
    remainingNanoUsd === null ? [] : [remainingNanoUsd + released],
  )
  return amounts.length === 0 ? undefined : Math.min(...amounts)
}

function dollars(nanoUsd: NanoUsd): string {
  return formatUsd(nanoUsd).replace("$", "")
}
