import { isRecord, parseJson } from "@p2/core"
import { readTextUpTo } from "../../transport/read-body"
import type { CountRequest } from "./count-request"

/** A call waits at most this long for a count. Then it is bounded without one. */
export const COUNT_TIMEOUT_MS = 2_000

/** An answer with a count is a small object. */
const MAX_ANSWER_BYTES = 64 * 1024

export type CountOutcome =
  | { status: "counted"; tokens: number }
  /** This call has no count, because of its body or its key. */
  | { status: "rejected" }
  /** The endpoint does not answer, or has no counts. */
  | { status: "unavailable" }

const REJECTIONS: readonly number[] = [400, 401, 402, 403, 413, 422]

/** Headers that belong to the body of the call, or would make the count the same request as the call. */
const OWN_HEADERS = ["content-length", "content-encoding", "idempotency-key", "x-client-request-id"]

/** Requests a count with the caller's own key. Never rejects. */
export async function requestCount(
  { url, body, countField }: CountRequest,
  { headers, fetch, signal }: { headers: Headers; fetch: typeof globalThis.fetch; signal: AbortSignal | undefined },
): Promise<CountOutcome> {
  const controller = new AbortController()
  const { promise: ended, end } = endOf(signal, COUNT_TIMEOUT_MS)
  const sent = new Headers(headers)
  for (const name of OWN_HEADERS) sent.delete(name)
  sent.set("content-type", "application/json")
  sent.set("accept", "application/json")
  sent.set("accept-encoding", "identity")
  const read = async (): Promise<CountOutcome> => {
    const { signal } = controller
    const init = { method: "POST", headers: sent, body: JSON.stringify(body), signal, redirect: "manual" } as const
    const response = await fetch(url.href, init)
    const text = response.body === null ? "" : await readTextUpTo(response.body, MAX_ANSWER_BYTES)
    if (REJECTIONS.includes(response.status)) return { status: "rejected" }
    const data = response.ok ? parseJson(text) : undefined
    const tokens = isRecord(data) ? data[countField] : undefined
    return isCount(tokens) ? { status: "counted", tokens } : { status: "unavailable" }
  }
  try {
    return await Promise.race([read(), ended])
  } catch {
    return { status: "unavailable" }
  } finally {
    end()
    controller.abort()
  }
}

/** Every prompt has tokens, so a count of 0 is invalid. */
function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0
}

/** Resolves when the time limit has passed (`unavailable`) or the caller has aborted (`rejected`: the endpoint is not to blame). */
function endOf(signal: AbortSignal | undefined, timeoutMs: number): { promise: Promise<CountOutcome>; end(): void } {
  let end = () => {}
  const promise = new Promise<CountOutcome>((resolve) => {
    const onAbort = () => resolve({ status: "rejected" })
    const timer = setTimeout(() => resolve({ status: "unavailable" }), timeoutMs)
    signal?.addEventListener("abort", onAbort, { once: true })
    end = () => {
      clearTimeout(timer)
      signal?.removeEventListener("abort", onAbort)
    }
  })
  return { promise, end: () => end() }
}
