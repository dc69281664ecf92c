import { isRecord } from "@p2/core"

/** Whether and when a response allows another attempt. */
export interface RetryHints {
  /** How long to wait, in milliseconds; undefined: not stated. */
  retryAfterMs: number | undefined
  /** `x-should-retry`; undefined: not stated. */
  shouldRetry: boolean | undefined
}

/**
 * Reads how long to wait before another attempt, from the first of these that is stated:
 *
 * - `retry-after-ms`, in milliseconds: Azure, https://learn.microsoft.com/azure/ai-foundry/openai/how-to/provisioned-get-started
 * - `retry-after`, in seconds or as a date: RFC 9110, section 10.2.3
 * - `RetryInfo` in the error of Google's APIs ("39s"), and the longest `retryDelay` if there are several:
 *   https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto
 * - `x-ratelimit-reset-requests` and `x-ratelimit-reset-tokens` of OpenAI and Groq ("6m0s", "7.66s"), where the matching
 *   `x-ratelimit-remaining-…` is 0: https://platform.openai.com/docs/guides/rate-limits, https://console.groq.com/docs/rate-limits
 * - `anthropic-ratelimit-…-reset`, a date in RFC 3339, where the matching `…-remaining` is 0:
 *   https://docs.claude.com/en/api/rate-limits
 * - `x-ratelimit-reset` of OpenRouter, an epoch time, as a header or in `error.metadata.headers`:
 *   https://github.com/everruns/everruns/pull/2280
 *
 * `x-should-retry` is OpenAI's and Anthropic's, as their SDKs read it:
 * https://github.com/openai/openai-node/blob/master/src/client.ts
 *
 * @param body the parsed JSON body of the error, or the error object in it
 * @param now epoch milliseconds
 */
export function readRetryHints(headers: Headers | undefined, body: unknown, now: number): RetryHints {
  const get = (name: string) => headers?.get(name) ?? ""
  const retryAfterMs =
    decimal(get("retry-after-ms")) ??
    retryAfter(get("retry-after"), now) ??
    retryInfo(body) ??
    resetOf(get, now) ??
    epochReset(get("x-ratelimit-reset"), now) ??
    epochReset(openRouterReset(body), now)
  return {
    retryAfterMs: retryAfterMs === undefined ? undefined : Math.ceil(retryAfterMs),
    shouldRetry: { true: true, false: false }[get("x-should-retry")],
  }
}

function retryAfter(text: string, now: number): number | undefined {
  const seconds = decimal(text)
  if (seconds !== undefined) return seconds * 1000
  // An HTTP date starts with a weekday; `Date.parse` alone reads "-3" as a year.
  return /^[A-Z]/.test(text) ? until(text, now) : undefined
}

/** The `retryDelay` in the details of a `google.rpc.Status`. Gemini sends the error in a list when it streams. */
function retryInfo(body: unknown): number | undefined {
  const error = errorIn(body)
  const details = Array.isArray(error?.details) ? error.details : []
  const delays = details.flatMap((detail) => {
    const delayMs = isRecord(detail) && typeof detail.retryDelay === "string" ? duration(detail.retryDelay) : undefined
    return delayMs === undefined ? [] : [delayMs]
  })
  return delays.length === 0 ? undefined : Math.max(...delays)
}

const ANTHROPIC_LIMITS = ["requests", "tokens", "input-tokens", "output-tokens"] as const

/** The latest reset of the limits that are used up. */
function resetOf(get: (name: string) => string, now: number): number | undefined {
  const resets = [
    ...["requests", "tokens"].map((limit) =>
      get(`x-ratelimit-remaining-${limit}`) === "0" ? duration(get(`x-ratelimit-reset-${limit}`)) : undefined,
    ),
    ...ANTHROPIC_LIMITS.map((limit) =>
      get(`anthropic-ratelimit-${limit}-remaining`) === "0"
        ? until(get(`anthropic-ratelimit-${limit}-reset`), now)
        : undefined,
    ),
  ].filter((reset) => reset !== undefined)
  return resets.length === 0 ? undefined : Math.max(...resets)
}

function openRouterReset(body: unknown): string {
  const metadata = errorIn(body)?.metadata
  const headers = isRecord(metadata) && isRecord(metadata.headers) ? metadata.headers : {}
  const name = Object.keys(headers).find((each) => each.toLowerCase() === "x-ratelimit-reset")
  return name === undefined ? "" : String(headers[name])
}

/** A time in epoch milliseconds or seconds. A shorter number is a duration of unknown unit, and is ignored. */
function epochReset(text: string, now: number): number | undefined {
  if (!/^(\d{10}|\d{13})$/.test(text)) return undefined
  return Math.max(0, Number(text) * (text.length === 10 ? 1000 : 1) - now)
}

function errorIn(body: unknown): Record<string, unknown> | undefined {
  const [holder] = [body].flat() as unknown[]
  if (!isRecord(holder)) return undefined
  return isRecord(holder.error) ? holder.error : holder
}

const UNIT_MS: Record<string, number> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 }

/** A duration such as `39s`, `1.5s`, `6m0s`, `450ms` or `1h2m3s`, in milliseconds. */
function duration(text: string): number | undefined {
  if (!/^(\d{1,9}(\.\d{1,9})?(ms|[dhms]))+$/.test(text)) return undefined
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|[dhms])/g)]
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNIT_MS[unit!]!, 0)
}

function until(date: string, now: number): number | undefined {
  const at = Date.parse(date)
  return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}

function decimal(text: string): number | undefined {
  return /^\d{1,12}(\.\d{1,9})?$/.test(text) ? Number(text) : undefined
}
