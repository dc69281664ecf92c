import { UnknownModelError } from "@p2/core"
import { describe, expect, it } from "vitest"
import { costOf, findPrice, priceOf, UnboundedCostError, upperBound } from "../src/index"
import { publishedPrices as prices } from "../src/table/published-prices"

describe("known ids", () => {
  it.each([
    ["openai/gpt-4o-mini", "openai/gpt-4o-mini"],
    ["gpt-4o-mini", "openai/gpt-4o-mini"],
    ["claude-opus-5-5", "anthropic/claude-opus-5-5"],
    ["gemini-3.8-flash", "google/gemini-3.8-flash"],
    ["x-ai/grok-4.7", "xai/grok-4.7"],
    ["gpt-6-sol-2026-08-01", "openai/gpt-6-sol"],
    ["anthropic/claude-opus-5-5-20260901", "anthropic/claude-opus-5-5"],
    ["google/gemini-3.8-flash@20260901", "google/gemini-3.8-flash"],
    ["openrouter/openai/gpt-4o-mini", "openrouter/openai/gpt-4o-mini"],
    ["bedrock/us.anthropic.claude-opus-5-5", "amazon-bedrock/us.anthropic.claude-opus-5-5"],
  ])("%s is %s", (model, key) => {
    expect(priceOf(model).model).toBe(key)
  })

  it("a retired id that still answers has the price of its successor row", () => {
    const price = priceOf("openrouter/openai/gpt-4o-mini-2024-07-18")
    expect(price.rates).toEqual({ input: 150_000, output: 600_000, cacheRead: 75_000, search: 20_000_000_000 })
    expect([price.contextWindow, price.maxOutputTokens]).toEqual([128_000, 16_384])
  })

  it("a dated id with its own price keeps it", () => {
    expect(priceOf("gpt-4o-2024-05-13").rates).toMatchObject({ input: 5_000_000, output: 15_000_000 })
    expect(priceOf("gpt-4o").rates).toMatchObject({ input: 2_500_000, output: 10_000_000 })
  })

  it("a bare name that only resellers sell is unknown", () => {
    expect(findPrice("openrouter/openai/gpt-oss-120b")).toBeDefined()
    expect(findPrice("gpt-oss-120b")).toBeUndefined()
  })
})

describe("unknown ids", () => {
  it.each([
    "claude-opus-4-8-turbo",
    "anthropic/claude-opus-4-8-turbo",
    "gemini-3.8-flash-cyber",
    "gpt-4o-mini-2099-01-01-x",
    "gpt-4o-mini-2024-02-30",
    "gpt-4o-mini-2024-7-18",
    "gpt-4o-mini-20240718-20240718",
    "gpt-4o-mini-2024-07-18-2024-07-18",
    "gpt-4o-min",
    "GPT-4o-mini",
    "gpt-4o-mini ",
    "gpt-7",
    "openai/openai/gpt-4o-mini",
    "azure/my-deployment",
    "openrouter/gpt-4o-mini",
    "openrouter/openai/gpt-4o-mini:free",
    "openrouter/openai/gpt-4o-mini:thinking",
    "openrouter/openai/gpt-4o-mini:extended-online",
    "openai/gpt-4o-mini:online",
    "openrouter/auto",
    "ollama/",
    "ollama/gpt-oss:120b-cloud",
    "ollamas/llama3",
    "constructor",
    "__proto__",
    "openrouter/__proto__:online",
    "openrouter/openai/gpt-4o-mini:online:online",
    "openrouter/openai/gpt-4o-mini:nitro:online",
    "openrouter/openai/gpt-4o-mini:",
    "gpt-4o-mini\u0000",
    "",
  ])("%j", (model) => {
    expect(findPrice(model)).toBeUndefined()
    expect(() => priceOf(model)).toThrow(UnknownModelError)
    expect(() => costOf(model, { inputTokens: 1, outputTokens: 1 })).toThrow(UnknownModelError)
    expect(() => upperBound(model, { inputTokens: 1, maxOutputTokens: 1 })).toThrow(UnknownModelError)
  })

  it("every key with a word or a letter added", () => {
    const known = new Set(prices.models())
    const found = prices.models().flatMap((model) => {
      if (model.startsWith("openrouter/") && model.includes(":")) return []
      return [`${model}-turbo-x`, `${model}x7`, `${model}-cyber9`].filter(
        (each) => !known.has(each) && findPrice(each) !== undefined,
      )
    })
    expect(found).toEqual([])
  })

  it("an error names similar ids and the remedy", () => {
    expect(() => priceOf("gpt-4o-minni")).toThrow(
      /Unknown model "gpt-4o-minni".*Similar ids: "gpt-4o-mini",.*createPriceTable/,
    )
  })

  it("values that are not ids are unknown", () => {
    for (const nonsense of [undefined, null, 7, {}, "x".repeat(100_000)])
      expect(findPrice(nonsense as string)).toBeUndefined()
    expect(() => priceOf("x".repeat(100_000))).toThrow(UnknownModelError)
  })
})

describe("OpenRouter's suffixes", () => {
  it(":online is the model with searches, which the rows of OpenRouter list", () => {
    const base = priceOf("openrouter/openai/gpt-4o-mini")
    const online = priceOf("openrouter/openai/gpt-4o-mini-2024-07-18:online")
    expect(online.rates).toEqual({ ...base.rates, search: 20_000_000_000 })
    const usage = { inputTokens: 0, outputTokens: 0, webSearches: 1 }
    expect(costOf("openrouter/openai/gpt-4o-mini:online", usage).nanoUsd).toBe(20_000_000)
  })

  it(":online costs even with a free model, which then is not free", () => {
    const model = prices.models().find((each) => each.startsWith("openrouter/") && each.endsWith(":free"))!
    const usage = { inputTokens: 10, outputTokens: 10, webSearches: 2 }
    expect(costOf(`${model}:online`, usage).nanoUsd).toBe(40_000_000)
    expect(priceOf(`${model}:online`).free).toBe(false)
    expect(() => costOf(model, usage)).toThrow(/webSearches/)
  })

  it.each(["nitro", "floor"])(":%s is priced but not bounded", (suffix) => {
    const model = `openrouter/openai/gpt-4o-mini:${suffix}`
    expect(priceOf(model).rates.input).toBe(150_000)
    expect(() => upperBound(model, { inputTokens: 1, maxOutputTokens: 1 })).toThrow(UnboundedCostError)
  })

  it(":free and :batch are what their own rows say", () => {
    const free = prices.models().filter((model) => model.startsWith("openrouter/") && model.endsWith(":free"))
    expect(free.length).toBeGreaterThan(5)
    for (const model of free) {
      expect(prices.findRow(model)!.free).toBe(true)
      expect(costOf(model, { inputTokens: 10_000, outputTokens: 10_000 }).nanoUsd).toBe(0)
    }
    expect(priceOf("openrouter/openai/gpt-6-sol:batch").rates.input).toBe(1_000_000)
  })
})

it("local models are free, whatever their name, and marked as free", () => {
  const price = priceOf("ollama/llama3.2:3b")
  expect([price.free, price.rates.input, price.rates.output]).toEqual([true, 0, 0])
  expect(upperBound("ollama/anything-7", { inputTokens: 5_000, maxOutputTokens: 4_096 }).nanoUsd).toBe(0)
})
