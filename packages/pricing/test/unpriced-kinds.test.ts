import type { Usage } from "@p2/core"
import { describe, expect, it } from "vitest"
import { costOf, createPriceTable, UnpricedUsageError, upperBound } from "../src/index"
import { publishedPrices as prices } from "../src/table/published-prices"

/** A text model: its price has no rate for any of these kinds. */
const TEXT_MODEL = "xai/grok-4.7"
const KINDS: [keyof Usage, Partial<Usage>][] = [
  ["audioInputTokens", { audioInputTokens: 1 }],
  ["audioOutputTokens", { audioOutputTokens: 1 }],
  ["imageOutputTokens", { imageOutputTokens: 1 }],
  ["webSearches", { webSearches: 1 }],
]

describe("a kind without a rate is an error and never billed as text", () => {
  it.each(KINDS)("%s", (kind, used) => {
    const usage = { inputTokens: 10, outputTokens: 10, ...used }
    expect(() => costOf(TEXT_MODEL, usage)).toThrow(
      expect.objectContaining({ code: "unpriced-usage", usage: kind, model: TEXT_MODEL }),
    )
    const own = createPriceTable({ "own/text": { input: "1", output: "2" } })
    expect(() => own.costOf("own/text", usage)).toThrow(UnpricedUsageError)
  })

  it.each(KINDS)("0 %s cost nothing", (kind) => {
    expect(costOf(TEXT_MODEL, { inputTokens: 10, outputTokens: 0, [kind]: 0 }).lines).toHaveLength(1)
  })

  it("in a bound too, if the caller names its modality", () => {
    const options = { inputTokens: 10, maxOutputTokens: 10 }
    expect(() => upperBound(TEXT_MODEL, { ...options, inputModalities: ["text", "audio"] })).toThrow(UnpricedUsageError)
    expect(() => upperBound(TEXT_MODEL, { ...options, outputModalities: ["image"] })).toThrow(UnpricedUsageError)
    expect(upperBound(TEXT_MODEL, { ...options, inputModalities: ["text", "image"] }).nanoUsd).toBeGreaterThan(0)
    expect(upperBound(TEXT_MODEL, options).nanoUsd).toBeGreaterThan(0)
  })

  it.each(KINDS)("a reported cost counts even with %s", (_kind, used) => {
    const usage = { inputTokens: 10, outputTokens: 10, ...used }
    const cost = costOf(TEXT_MODEL, usage, { reported: { costUsd: "0.25" } })
    expect([cost.nanoUsd, cost.basis, "difference" in cost]).toEqual([250_000_000, "provider", false])
  })

  it("a contradictory usage is an error even with a reported cost", () => {
    const usage = { inputTokens: 1, outputTokens: 1, cacheReadTokens: 2 }
    expect(() => costOf(TEXT_MODEL, usage, { reported: { costUsd: "0.25" } })).toThrow(
      expect.objectContaining({ code: "invalid-argument" }),
    )
  })
})

describe("audio has the vendor's rates", () => {
  it.each([
    ["gpt-4o-audio-preview", 40_000_000, 80_000_000],
    ["gpt-4o-mini-audio-preview", 10_000_000, 20_000_000],
    ["gpt-audio", 32_000_000, 64_000_000],
    ["gpt-4o-realtime-preview", 40_000_000, 80_000_000],
    ["gpt-realtime-2", 32_000_000, 64_000_000],
    ["gpt-realtime-2.1-mini", 10_000_000, 20_000_000],
  ])("%s", (model, audioInput, audioOutput) => {
    expect(prices.priceOf(model).rates).toMatchObject({ audioInput, audioOutput })
    const usage = { inputTokens: 1000, outputTokens: 500, audioInputTokens: 900, audioOutputTokens: 400 }
    const { input, output } = prices.priceOf(model).rates
    expect(costOf(model, usage).picoUsd).toBe(BigInt(100 * input + 900 * audioInput + 100 * output + 400 * audioOutput))
  })

  it("is input where Google has one price for both, at each context tier, and more expensive where Google lists that", () => {
    for (const { rates } of prices.priceOf("gemini-2.5-pro").tiers) expect(rates.audioInput).toBe(rates.input)
    const flash = prices.priceOf("gemini-2.5-flash").rates
    expect([flash.input, flash.audioInput]).toEqual([300_000, 1_000_000])
  })
})
