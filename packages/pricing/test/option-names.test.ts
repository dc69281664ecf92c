import { describe, expect, it } from "vitest"
import { affordableOutputTokens, costOf, priceOf, upperBound } from "../src/index"

const model = "gpt-4o-mini"

describe("the hint for raw usage", () => {
  it.each([
    [{ prompt_tokens: 5, completion_tokens: 7 }, "usageFromOpenAIChat(response.usage)"],
    [{ input_tokens: 5, output_tokens: 7 }, "usageFromOpenAIResponses(response.usage)"],
    [{ input_tokens: 5, output_tokens: 7 }, "usageFromAnthropic(message.usage)"],
    [{ cache_creation_input_tokens: 5 }, "usageFromAnthropic(message.usage)"],
    [{ promptTokenCount: 5 }, "usageFromGemini(response.usageMetadata)"],
    [{ usage: {} }, "Pass `response.usage`"],
  ])("%j: %s", (usage, advice) => {
    expect(() => costOf(model, usage as never)).toThrow(advice)
  })
})

describe("the hint for an unknown option", () => {
  it.each([
    [{ inputTokens: 1, maxTokens: 5 }, "Unknown option `maxTokens`. Did you mean `maxOutputTokens`?"],
    [{ inputTokens: 1, outputTokens: 5 }, "Unknown option `outputTokens`. Did you mean `maxOutputTokens`?"],
    [{ promptTokens: 1 }, "Unknown option `promptTokens`. Did you mean `inputTokens`?"],
    [{ inputTokens: 1, n: 2 }, "Unknown option `n`. Did you mean `choices`?"],
    [{ inputTokens: 1, service_tier: "flex" }, "Unknown option `service_tier`. Did you mean `serviceTier`?"],
  ])("of upperBound %j: %s", (options, message) => {
    expect(() => upperBound(model, options as never)).toThrow(message)
  })

  it("of the other functions", () => {
    expect(() => affordableOutputTokens(model, { inputTokens: 1, maxBudget: 5 } as never)).toThrow(
      "Unknown option `maxBudget`. Did you mean `budget`?",
    )
    expect(() => priceOf(model, { tier: "flex" } as never)).toThrow(
      "Unknown option `tier`. Did you mean `serviceTier`?",
    )
  })
})
