/** Longest wait that a provider's `Retry-After` may ask of us, in milliseconds; a longer one is not waited for. */
export const MAX_RETRY_AFTER_MS = 60_000
const BASE_MS = 500
const CEILING_MS = 8_000

/**
 * How long to wait before attempt `failures + 1`: what the provider asks for and up to a tenth more, else twice as long
 * each time from 500 ms to 8 s, of which up to a half is taken off: callers shall not come back together.
 * Undefined: the provider asks for more than {@link MAX_RETRY_AFTER_MS}.
 */
export function retryDelayMs(failures: number, retryAfterMs: number | undefined, random: number): number | undefined {
  if (retryAfterMs !== undefined)
    return retryAfterMs > MAX_RETRY_AFTER_MS ? undefined : Math.round(retryAfterMs * (1 + random / 10))
  const full = Math.min(CEILING_MS, BASE_MS * 2 ** Math.max(0, failures - 1))
  return Math.round(full * (1 - random / 2))
}

/** `Retry-After-Ms`, or `Retry-After` in seconds or as a date, in milliseconds from `now`. */
export function readRetryAfter(headers: Headers | undefined, now: number): number | undefined {
  const exact = number(headers?.get("retry-after-ms"))
  if (exact !== undefined) return exact
  const text = headers?.get("retry-after") ?? ""
  const seconds = number(text)
  if (seconds !== undefined) return Math.ceil(seconds * 1000)
  // An HTTP date begins with a weekday; `Date.parse` alone takes "-3" for a year.
  const at = /^[A-Z]/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}

function number(text: string | null | undefined): number | undefined {
  return /^\d+(\.\d+)?$/.test(text ?? "") ? Number(text) : undefined
}
