import { InvalidArgumentError, UnknownModelError } from "@p2/core"
import { describe, expect, expectTypeOf, it } from "vitest"
import {
  checkTableAge,
  costOf,
  isPricingError,
  type PricingError,
  type PricingErrorCode,
  StalePricesError,
  tableDate,
  UnboundedCostError,
  type UnboundedReason,
  UnknownUsageError,
  UnpricedUsageError,
  upperBound,
  usageFromOpenAIChat,
} from "../src/index"

function errorOf(call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
  throw new Error("The call did not throw.")
}

const USAGE = { inputTokens: 1, outputTokens: 1 }
const ERRORS: [PricingErrorCode, unknown][] = [
  ["invalid-argument", errorOf(() => costOf("gpt-4o-mini", { inputTokens: -1, outputTokens: 0 }))],
  ["unknown-model", errorOf(() => costOf("gpt-99", USAGE))],
  ["unbounded-cost", errorOf(() => upperBound("openai/o3-deep-research", { inputTokens: 1 }))],
  ["unpriced-usage", errorOf(() => costOf("xai/grok-4.7", { ...USAGE, webSearches: 1 }))],
  ["unknown-usage", errorOf(() => usageFromOpenAIChat({ prompt_tokens: 1, completion_tokens: 1, new_tokens: 1 }))],
  ["stale-prices", errorOf(() => checkTableAge({ at: Date.parse(tableDate()) + 100 * 86_400_000 }))],
]

describe("errors of this package", () => {
  it.each(ERRORS)("%s has its code, and is recognized without instanceof", (code, error) => {
    expect(isPricingError(error)).toBe(true)
    expect((error as PricingError).code).toBe(code)
    const classes = [
      InvalidArgumentError,
      UnknownModelError,
      UnboundedCostError,
      UnpricedUsageError,
      UnknownUsageError,
      StalePricesError,
    ]
    expect(classes.filter((each) => each.isInstance(error))).toHaveLength(1)
  })

  it("narrow by code, so that each field has its type", () => {
    for (const [, error] of ERRORS) {
      if (!isPricingError(error)) throw error
      switch (error.code) {
        case "unbounded-cost":
          expectTypeOf(error.reason).toEqualTypeOf<UnboundedReason>()
          expect(error.reason).toBe("searches")
          break
        case "unpriced-usage":
          expect([error.model, error.usage]).toEqual(["xai/grok-4.7", "webSearches"])
          break
        case "unknown-usage":
          expect(error.field).toBe("usage.new_tokens")
          break
        case "stale-prices":
          expect([error.ageDays, error.maxAgeDays]).toEqual([100, 45])
          break
        case "unknown-model":
          expect(error.nearest.length).toBeGreaterThan(0)
          break
        case "invalid-argument":
          expect(error.argument).toBe("usage.inputTokens")
          break
        default:
          expectTypeOf(error).toBeNever()
      }
    }
  })

  it("are not what other code throws", () => {
    for (const value of [new Error("x"), undefined, null, "unpriced-usage", { code: "unpriced-usage" }])
      expect(isPricingError(value)).toBe(false)
  })
})
