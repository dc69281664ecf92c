import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { addUsage, USAGE_COUNTS, type Usage } from "../src/index"

const usage: fc.Arbitrary<Usage> = fc.record(
  Object.fromEntries(USAGE_COUNTS.map((count) => [count, fc.nat()])) as Record<
    (typeof USAGE_COUNTS)[number],
    fc.Arbitrary<number>
  >,
  { requiredKeys: ["inputTokens", "outputTokens"] },
)

describe("addUsage", () => {
  it("sums every count, and leaves out counts that all usages lack", () => {
    fc.assert(
      fc.property(fc.array(usage), (usages) => {
        const sum = addUsage(...usages)
        for (const count of USAGE_COUNTS) {
          const given = usages.map((one) => one[count]).filter((value) => value !== undefined)
          const total = given.reduce((a, b) => a + b, 0)
          expect(sum[count] ?? 0).toBe(total)
          if (given.length === 0 && !/^(in|out)putTokens$/.test(count)) expect(sum).not.toHaveProperty(count)
        }
      }),
    )
  })

  it("keeps the raw usages, and does not change its arguments", () => {
    const first = Object.freeze({ inputTokens: 1, outputTokens: 2, raw: { a: 1 } })
    expect(addUsage(first, { inputTokens: 3, outputTokens: 4 }, first)).toEqual({
      inputTokens: 5,
      outputTokens: 8,
      raw: [{ a: 1 }, { a: 1 }],
    })
    expect(addUsage()).toEqual({ inputTokens: 0, outputTokens: 0 })
  })
})
