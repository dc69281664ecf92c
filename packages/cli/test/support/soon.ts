import { expect } from "vitest"

/** Asserts that something becomes true, however busy the machine is. */
export function soon<T>(read: () => T, options: { interval?: number } = {}) {
  return expect.poll(read, { timeout: 110_000, ...options })
}
