import { describe, expect, it } from "vitest"
import { costOf, createPriceTable, regionOfURL, upperBound } from "../src/index"
import { REGION_RULES } from "../src/table/regional-uplifts"

const usage = { inputTokens: 1_000, outputTokens: 100 }
const options = {
  inputTokens: 1_000,
  maxOutputTokens: 100,
  serviceTier: "default",
  cacheWrites: "none" as const,
  byok: false,
}

describe("a region", () => {
  it.each<[string, string, number]>([
    ["openai/gpt-5.4", "eu", 10],
    ["openai/gpt-5.5", "us", 10],
    ["openai/gpt-5.6-luna", "jp", 10],
    ["openai/gpt-6-sol", "eu", 10],
    ["openai/gpt-6.2-sol", "ae", 10],
    ["openai/gpt-4o-mini", "eu", 0],
    ["openai/gpt-4.1", "eu", 0],
    ["openai/gpt-5", "eu", 0],
    ["openai/gpt-5-mini", "eu", 0],
    ["openai/gpt-5.2", "eu", 0],
    ["openai/o3", "eu", 0],
    ["openai/gpt-3.5-turbo", "us", 0],
    ["anthropic/claude-opus-5-5", "us", 10],
    ["anthropic/claude-opus-4-6", "us", 10],
    ["anthropic/claude-opus-4-8", "us", 10],
    ["anthropic/claude-sonnet-4-6", "us", 10],
    ["xai/grok-4.6", "us", 10],
    ["google-vertex/claude-opus-5-5", "europe-west1", 10],
    ["google-vertex/claude-sonnet-4-5", "us", 10],
    ["google-vertex/gemini-3.5-flash", "europe-west4", 10],
    ["google-vertex/gemini-3.1-pro-preview", "eu", 10],
    ["together/deepseek-ai/DeepSeek-V4-Pro-0813", "us", 25],
  ])("%s in %s costs %d % more", (model, region, percent) => {
    const base = costOf(model, usage).picoUsd
    expect(costOf(model, usage, { region }).picoUsd * 100n).toBe(base * BigInt(100 + percent))
    const bound = (where: string) => upperBound(model, { ...options, region: where }).picoUsd
    expect(bound(region) * 100n).toBe(bound("global") * BigInt(100 + percent))
  })

  it.each([
    ["anthropic/claude-opus-5-5", "eu"],
    ["anthropic/claude-3-5-haiku-latest", "us"],
    ["google/gemini-3.8-flash", "europe-west4"],
    ["google-vertex/gemini-2.5-pro", "us-central1"],
    ["google-vertex/claude-opus-4", "us-east5"],
    ["mistral/mistral-large-latest", "eu"],
    ["azure/gpt-4o", "eu"],
    ["openrouter/openai/gpt-4o-mini", "eu"],
    ["xai/grok-4.7", "us"],
  ])("without a listed price is an error: %s in %s", (model, region) => {
    expect(() => costOf(model, usage, { region })).toThrow(
      expect.objectContaining({ code: "unpriced-usage", usage: "region" }),
    )
    expect(() => upperBound(model, { ...options, region })).toThrow(
      expect.objectContaining({ code: "unbounded-cost", reason: "region" }),
    )
  })

  it("that can be a setting of the workspace is bounded unless another one is stated", () => {
    const bound = (region?: string) => upperBound("claude-opus-5-5", { ...options, region }).nanoUsd
    expect([bound("global"), bound("us"), bound()]).toEqual([6_000_000, 6_600_000, 6_600_000])
    expect(costOf("claude-opus-5-5", usage).nanoUsd).toBe(6_000_000)
    expect(costOf("claude-opus-5-5", usage, { region: "not_available" }).nanoUsd).toBe(6_000_000)
    const legacy = (region?: string) => upperBound("claude-3-5-haiku-latest", { ...options, region }).nanoUsd
    expect(legacy()).toBe(legacy("global"))
  })

  it("of a price of your own is written in percent", () => {
    const table = createPriceTable({ a: { input: "1", output: "2", search: "0.01", regionUpliftPercent: { eu: 10 } } })
    const searched = { ...usage, webSearches: 1 }
    expect(table.costOf("a", searched, { region: "eu" }).nanoUsd).toBe(12_320_000)
    expect(() => table.costOf("a", usage, { region: "us" })).toThrow('regionUpliftPercent: { "us": 10 }')
    for (const percent of [-1, 1.5, "10"])
      expect(() =>
        createPriceTable({ a: { input: "1", output: "2", regionUpliftPercent: { eu: percent as number } } }),
      ).toThrow(/regionUpliftPercent\.eu/)
  })

  it("has a source and a day in every rule", () => {
    for (const rule of REGION_RULES) {
      expect(rule.source).toMatch(/^https:\/\//)
      expect(rule.asOf).toMatch(/^20\d\d-\d\d-\d\d$/)
    }
  })
})

describe("the region of a base URL", () => {
  it.each([
    ["https://eu.api.openai.com/v1", "eu"],
    ["https://us.api.openai.com/v1", "us"],
    ["https://AE.API.OPENAI.COM/v1/chat/completions", "ae"],
    ["https://api.openai.com/v1", "global"],
    ["https://us.api.x.ai/v1", "us"],
    ["https://api.x.ai/v1", "global"],
    ["https://ca-api.together.ai/v1", "ca"],
    ["https://us-api.together.xyz/v1", "us"],
    ["https://api.anthropic.com", undefined],
    ["https://eu.api.openai.com.example.org/v1", undefined],
    ["https://example.org/eu.api.openai.com", undefined],
    ["https://openrouter.ai/api/v1", undefined],
    ["not a URL", undefined],
    ["", undefined],
  ])("%s is %s", (url, region) => {
    expect(regionOfURL(url)).toBe(region)
  })

  it("is accepted as it is", () => {
    const region = regionOfURL("https://eu.api.openai.com/v1")
    expect(costOf("gpt-5.5", usage, { region }).nanoUsd).toBe(8_800_000)
    expect(costOf("gpt-5.5", usage, { region: regionOfURL("https://api.openai.com/v1") }).nanoUsd).toBe(8_000_000)
  })
})

describe("a key of your own at OpenRouter", () => {
  const model = "openrouter/openai/gpt-4o-mini"

  it("adds a fee of 5 %, which a bound counts unless the caller excludes it", () => {
    const bound = (byok?: boolean) => upperBound(model, { ...options, byok }).nanoUsd
    expect([bound(false), bound(true), bound()]).toEqual([210_000, 220_500, 220_500])
    expect(costOf(model, usage).nanoUsd).toBe(210_000)
    expect(costOf(model, usage, { byok: true }).nanoUsd).toBe(220_500)
  })

  it("does not raise the maximum price, which OpenRouter compares with listed rates", () => {
    expect(upperBound(model, options).maxPrice).toEqual({ prompt: 0.15, completion: 0.6 })
    expect(upperBound(model, { ...options, byok: true }).maxPrice).toEqual({ prompt: 0.15, completion: 0.6 })
  })

  it("costs nothing elsewhere", () => {
    expect(upperBound("openai/gpt-4o-mini", { ...options, byok: true }).nanoUsd).toBe(210_000)
  })
})
