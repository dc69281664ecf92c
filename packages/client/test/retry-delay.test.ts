import fc from "fast-check"
import { expect, test } from "vitest"
import { MAX_RETRY_AFTER_MS, readRetryAfter, retryDelayMs } from "../src/internal/retry-delay"

test("doubles from half a second to eight, less a random half", () => {
  expect([1, 2, 3, 4, 5, 9].map((failures) => retryDelayMs(failures, undefined, 0))).toEqual([
    500, 1000, 2000, 4000, 8000, 8000,
  ])
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 50 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (failures, random) => {
        const full = retryDelayMs(failures, undefined, 0)!
        const delay = retryDelayMs(failures, undefined, random)!
        expect(delay).toBeLessThanOrEqual(full)
        expect(delay).toBeGreaterThanOrEqual(Math.floor(full / 2))
      },
    ),
  )
})

test("does what the provider asks, unless it asks for too long", () => {
  expect(retryDelayMs(1, 2500, 0)).toBe(2500)
  expect(retryDelayMs(1, 2500, 0.5)).toBeGreaterThan(2500)
  expect(retryDelayMs(1, MAX_RETRY_AFTER_MS + 1, 0)).toBeUndefined()
})

test("reads seconds, milliseconds and dates", () => {
  const now = Date.UTC(2026, 10, 23, 12)
  expect(readRetryAfter(new Headers({ "retry-after": "1.5" }), now)).toBe(1500)
  expect(readRetryAfter(new Headers({ "retry-after": "2", "retry-after-ms": "40" }), now)).toBe(40)
  expect(readRetryAfter(new Headers({ "retry-after": "Mon, 23 Nov 2026 12:00:03 GMT" }), now)).toBe(3000)
  expect(readRetryAfter(new Headers({ "retry-after": "Mon, 23 Nov 2026 11:00:00 GMT" }), now)).toBe(0)
  for (const text of ["soon", "-3", ""])
    expect(readRetryAfter(new Headers({ "retry-after": text }), now)).toBeUndefined()
  expect(readRetryAfter(undefined, now)).toBeUndefined()
})
