import { describe, expect, it } from "vitest"
import { costOf, upperBound } from "../src/index"
import { publishedPrices as prices } from "../src/table/published-prices"

/**
 * The input from which a vendor's higher rates apply, by its published rule (scripts/prices/overrides.mjs, THRESHOLDS).
 */
const VENDORS = [
  { vendor: "OpenAI", models: /^(openai|openrouter\/openai)\//, from: 272_000, atLeast: 80 },
  { vendor: "xAI", models: /^(xai|openrouter\/x-ai)\//, from: 200_000, atLeast: 20 },
  { vendor: "Google", models: /^(google|openrouter\/google)\//, from: 200_001, atLeast: 12 },
]

function tieredModels(models: RegExp, from: number): string[] {
  const tiersOf = (model: string) => prices.findRow(model)!.sheets.flatMap((sheet) => sheet.tiers)
  return prices
    .models()
    .filter((model) => models.test(model) && tiersOf(model).some((tier) => tier.fromInputTokens === from))
}

describe.each(VENDORS)(
  "$vendor bills the whole call at the higher rates from $from input tokens on",
  ({ models, from, atLeast }) => {
    const tiered = tieredModels(models, from)

    it("in as many rows as the sources list", () => {
      expect(tiered.length).toBeGreaterThanOrEqual(atLeast)
    })

    it.each(tiered)("%s at N−1, N and N+1", (model) => {
      const row = prices.findRow(model)!
      for (const serviceTier of new Set(row.sheets.map((sheet) => sheet.serviceTier))) {
        const at = Date.UTC(2026, 10, 23)
        const price = prices.priceOf(model, { serviceTier, at })
        const higher = price.tiers.find((tier) => tier.fromInputTokens === from)
        if (higher === undefined) continue
        const below = price.tiers[price.tiers.indexOf(higher) - 1]!
        const pico = (inputTokens: number) =>
          costOf(model, { inputTokens, outputTokens: 1000 }, { serviceTier, at }).picoUsd
        const request = BigInt(higher.rates.request ?? 0)
        const expected = (tokens: number, rates: typeof higher.rates) =>
          BigInt(tokens) * BigInt(rates.input) + 1000n * BigInt(rates.output) + request
        expect(pico(from - 1)).toBe(expected(from - 1, below.rates))
        expect(pico(from)).toBe(expected(from, higher.rates))
        expect(pico(from + 1)).toBe(expected(from + 1, higher.rates))
      }
    })

    const bounded = tiered.filter((model) => prices.findRow(model)!.unbounded === undefined)
    it.each(bounded)("%s: the bound moves at the same token, and not before", (model) => {
      const at = Date.UTC(2026, 10, 23)
      const options = { maxOutputTokens: 1000, serviceTier: "default", at, deadline: at, cacheWrites: "none" as const }
      const bound = (inputTokens: number) => upperBound(model, { ...options, inputTokens }).tier!.fromInputTokens
      const before = bound(from - 1)
      expect(before).toBeLessThan(from)
      expect([bound(from), bound(from + 1)]).toEqual([from, from])
    })
  },
)

it("no OpenAI or xAI row begins a tier one token later", () => {
  const late = prices.models().filter((model) => /^(openai|xai|openrouter\/(openai|x-ai))\//.test(model))
  const starts = new Set(
    late.flatMap((model) =>
      prices.findRow(model)!.sheets.flatMap((sheet) => sheet.tiers.map((tier) => tier.fromInputTokens)),
    ),
  )
  expect([...starts].filter((start) => start === 272_001 || start === 200_001)).toEqual([])
})

describe("xAI's price of a long context", () => {
  it.each(["xai/grok-4", "xai/grok-4-0709", "xai/grok-4-fast", "grok-4-1-fast-reasoning"])("%s", (model) => {
    const cost = (inputTokens: number) => costOf(model, { inputTokens, outputTokens: 1_000 }).nanoUsd
    expect(cost(128_001) / cost(127_999)).toBeCloseTo(2, 3)
    expect(cost(300_000)).toBe(costOf(model, { inputTokens: 150_000, outputTokens: 500 }).nanoUsd * 2)
  })

  it("of Grok 4 Fast is that of OpenRouter", () => {
    const usage = { inputTokens: 300_000, outputTokens: 1_000 }
    expect(costOf("xai/grok-4-fast", usage).nanoUsd).toBe(costOf("openrouter/x-ai/grok-4-fast", usage).nanoUsd)
  })
})
