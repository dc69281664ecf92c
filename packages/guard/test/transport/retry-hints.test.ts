import { expect, test } from "vitest"
import { readRetryHints } from "../../src/transport/retry-hints"

const NOW = Date.parse("2026-11-30T08:00:00Z")
const hints = (headers: Record<string, string>, body?: unknown) => readRetryHints(new Headers(headers), body, NOW)

const retryInfo = (...delays: string[]) => ({
  error: {
    code: 429,
    status: "RESOURCE_EXHAUSTED",
    details: [
      { "@type": "type.googleapis.com/google.rpc.QuotaFailure", violations: [] },
      ...delays.map((retryDelay) => ({ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay })),
    ],
  },
})

test.each([
  ["milliseconds of Azure", { "retry-after-ms": "1500", "retry-after": "2" }, undefined, 1_500],
  ["seconds", { "retry-after": "20" }, undefined, 20_000],
  ["fractions of a second, rounded up", { "retry-after": "0.0001" }, undefined, 1],
  ["a date", { "retry-after": "Mon, 30 Nov 2026 08:00:30 GMT" }, undefined, 30_000],
  ["a date in the past", { "retry-after": "Mon, 30 Nov 2026 07:00:00 GMT" }, undefined, 0],
  ["a negative number", { "retry-after": "-3" }, undefined, undefined],
  ["words", { "retry-after": "soon" }, undefined, undefined],
  ["RetryInfo", {}, retryInfo("39s"), 39_000],
  ["RetryInfo with a fraction", {}, retryInfo("39.512s"), 39_512],
  ["RetryInfo in a list, as Gemini's stream has it", {}, [retryInfo("39s")], 39_000],
  ["RetryInfo in the error object alone", {}, retryInfo("7s").error, 7_000],
  ["the longest of several RetryInfo", {}, retryInfo("1s", "3s"), 3_000],
  ["RetryInfo that is none", {}, retryInfo("later"), undefined],
  ["a header before RetryInfo", { "retry-after": "1" }, retryInfo("39s"), 1_000],
  [
    "the reset of a limit that is used up",
    { "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s", "x-ratelimit-reset-requests": "9m" },
    undefined,
    360_000,
  ],
  [
    "milliseconds of a reset",
    { "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "120ms" },
    undefined,
    120,
  ],
  [
    "the reset of a limit that is not used up",
    { "x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "6m0s" },
    undefined,
    undefined,
  ],
  [
    "the latest reset of Anthropic",
    {
      "anthropic-ratelimit-requests-remaining": "0",
      "anthropic-ratelimit-requests-reset": "2026-11-30T08:00:10Z",
      "anthropic-ratelimit-input-tokens-remaining": "0",
      "anthropic-ratelimit-input-tokens-reset": "2026-11-30T08:00:45Z",
    },
    undefined,
    45_000,
  ],
  ["epoch milliseconds of OpenRouter", { "x-ratelimit-reset": String(NOW + 5_000) }, undefined, 5_000],
  ["epoch seconds", { "x-ratelimit-reset": String(NOW / 1_000 + 5) }, undefined, 5_000],
  ["a reset of unknown unit", { "x-ratelimit-reset": "30" }, undefined, undefined],
  [
    "the headers in OpenRouter's error",
    {},
    { error: { code: 429, metadata: { headers: { "X-RateLimit-Reset": String(NOW + 7_000) } } } },
    7_000,
  ],
  ["nothing", {}, { error: { message: "no", details: "none" } }, undefined],
])("reads %s", (_, headers, body, expected) => {
  expect(hints(headers as Record<string, string>, body)).toEqual({ retryAfterMs: expected, shouldRetry: undefined })
})

test("x-should-retry", () => {
  expect(hints({ "x-should-retry": "false" }).shouldRetry).toBe(false)
  expect(hints({ "x-should-retry": "true" }).shouldRetry).toBe(true)
  expect(hints({ "x-should-retry": "maybe" }).shouldRetry).toBeUndefined()
  expect(readRetryHints(undefined, undefined, NOW)).toEqual({ retryAfterMs: undefined, shouldRetry: undefined })
})
