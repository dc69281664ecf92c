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
  it("sums every count, and omits counts that all usages lack", () => {
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

describe("addUsage of what is not a count", () => {
  const base = { inputTokens: 1, outputTokens: 1 }

  it("sums the number of calls, where a usage without it is one call", () => {
    expect(addUsage({ ...base, calls: 3 }, base, base).calls).toBe(5)
    expect(addUsage(base, base)).not.toHaveProperty("calls")
    expect(() => addUsage({ ...base, calls: 0 })).toThrow("Invalid `usages[0].calls`")
  })

  it("keeps a service tier and a region that all usages share, and marks others as mixed", () => {
    const batch = { ...base, serviceTier: "batch", region: "us" }
    expect(addUsage(batch, batch)).toMatchObject({ serviceTier: "batch", region: "us" })
    expect(addUsage(batch, base)).toMatchObject({ serviceTier: "mixed", region: "mixed" })
    expect(addUsage(base, base)).not.toHaveProperty("serviceTier")
  })

  it("keeps each assumption once", () => {
    const usages = [["a"], ["a", "b"], []].map((assumptions) => ({ ...base, assumptions }))
    expect(addUsage(...usages).assumptions).toEqual(["a", "b"])
  })
})
