import { describe, expect, it } from "vitest"
import { costOf, upperBound } from "../src/index"
import { publishedPrices as prices } from "../src/table/published-prices"

/** The fee of the most expensive search context, in nano-USD, and a higher one that another source states. */
const SEARCH_EVERY_TIME: [model: string, fee: number, bound: number][] = [
  ["perplexity/sonar", 12_000_000, 12_000_000],
  ["perplexity/sonar-pro", 14_000_000, 14_000_000],
  ["perplexity/sonar-reasoning", 12_000_000, 12_000_000],
  ["perplexity/sonar-reasoning-pro", 14_000_000, 14_000_000],
  ["perplexity/sonar-pro-search", 22_000_000, 22_000_000],
  ["openrouter/perplexity/sonar", 12_000_000, 12_000_000],
  ["openrouter/perplexity/sonar-pro", 14_000_000, 14_000_000],
  ["openrouter/perplexity/sonar-reasoning-pro", 14_000_000, 14_000_000],
  ["openai/gpt-4o-search-preview", 25_000_000, 35_000_000],
  ["openai/gpt-4o-mini-search-preview", 25_000_000, 27_500_000],
]

describe("a model that searches with every request", () => {
  it.each(SEARCH_EVERY_TIME)("%s bills the search, and its bound contains it", (model, fee, most) => {
    expect(costOf(model, { inputTokens: 0, outputTokens: 0 }).nanoUsd).toBe(fee)
    expect(upperBound(model, { inputTokens: 0, maxOutputTokens: 0, byok: false }).nanoUsd).toBe(most)
    const rates = prices.priceOf(model).rates
    const usage = { inputTokens: 1000, outputTokens: 100 }
    expect(costOf(model, usage).picoUsd).toBe(BigInt(1000 * rates.input + 100 * rates.output) + 1000n * BigInt(fee))
  })

  it("does not bill the counted search a second time", () => {
    const usage = { inputTokens: 0, outputTokens: 0, webSearches: 1 }
    expect(costOf("perplexity/sonar", usage).nanoUsd).toBe(12_000_000)
    expect(costOf("gpt-4o-search-preview", usage).nanoUsd).toBe(25_000_000)
  })

  it("tells OpenRouter the fee that it assumed", () => {
    const bound = upperBound("openrouter/perplexity/sonar-pro", { inputTokens: 10, maxOutputTokens: 10 })
    expect(bound.maxPrice).toEqual({ prompt: 3, completion: 15, request: 0.014 })
  })
})

describe("a model that decides how often it searches", () => {
  const models = prices.models().filter((model) => prices.findRow(model)!.unbounded !== undefined)

  it("is each deep research model of the table", () => {
    expect(models).toEqual(
      expect.arrayContaining(["openai/o3-deep-research", "openrouter/perplexity/sonar-deep-research"]),
    )
    expect(prices.models().filter((model) => model.includes("deep-research") && !models.includes(model))).toEqual([])
  })

  it.each(models)("%s has a price and no bound", (model) => {
    expect(prices.priceOf(model).rates.input).toBeGreaterThan(0)
    const unbounded = expect.objectContaining({ code: "unbounded-cost", reason: "searches", model })
    expect(() => upperBound(model, { inputTokens: 1, maxOutputTokens: 1 })).toThrow(unbounded)
    expect(() => prices.affordableOutputTokens(model, { inputTokens: 1, budget: 1 })).toThrow(unbounded)
  })
})
