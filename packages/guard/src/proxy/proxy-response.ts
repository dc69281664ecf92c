import { formatUsd, type NanoUsd } from "@p2/core"
import type { GuardAttempt } from "../fetch/guard-options"
import { headersToReturn } from "./passed-headers"

/** What the proxy adds to a response, and what it removes. */
export interface ReturnedWith {
  /** Undefined: the call cost nothing, or its stream has not ended. */
  attempt: GuardAttempt | undefined
  /** The key that was sent, which a provider may quote in an error. */
  key: string | undefined
}

/** The response for the caller: the same bytes, except that an error does not show the key. */
export async function responseToReturn(response: Response, { attempt, key }: ReturnedWith): Promise<Response> {
  const { status, statusText } = response
  const headers = headersToReturn(response.headers, key)
  for (const [name, value] of Object.entries(costHeaders(attempt))) headers.set(name, value)
  const body = response.ok || key === undefined ? response.body : await withoutKey(response, key)
  return new Response(body, { status, statusText, headers })
}

async function withoutKey(response: Response, key: string): Promise<Uint8Array<ArrayBuffer> | null> {
  if (response.body === null) return null
  const bytes = new Uint8Array(await response.arrayBuffer())
  const text = new TextDecoder().decode(bytes)
  return text.includes(key) ? new TextEncoder().encode(text.replaceAll(key, "[redacted]")) : bytes
}

/** Dollars, exact to the nano-dollar. A limit without dollars has no remaining amount. */
function costHeaders(attempt: GuardAttempt | undefined): Record<string, string> {
  if (attempt === undefined) return {}
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
