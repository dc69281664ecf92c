import { describe, expect, it } from "vitest"
import { createWorkload } from "../src/workload"

describe("a workload", () => {
  it("is the same for the same seed", () => {
    expect(createWorkload({ seed: 7, calls: 200 })).toEqual(createWorkload({ seed: 7, calls: 200 }))
    expect(createWorkload({ seed: 7, calls: 200 })).not.toEqual(createWorkload({ seed: 8, calls: 200 }))
  })

  it("has retries, abandoned streams, aborts and a crash", () => {
    const { before, crash, after } = createWorkload({ seed: 1, calls: 330 })
    expect(before.some((call) => call.attempts.length > 1)).toBe(true)
    expect(before.every((call) => call.abortAfterMs === undefined && call.leaveAfterChunks === undefined)).toBe(true)
    expect(after.some((call) => call.abortAfterMs !== undefined)).toBe(true)
    expect(after.some((call) => call.leaveAfterChunks !== undefined)).toBe(true)
    expect(crash.length).toBeGreaterThan(1)
    expect(crash.every((call) => call.attempts[0] === "stalled")).toBe(true)
  })
})
