import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { affordableOutputTokens, createPriceTable, UnboundedCostError, upperBound } from "../src/index"
import { publishedPrices as prices } from "../src/table/published-prices"
import { Random } from "./random-usage"

/** All models except those whose number of searches has no limit and those that are billed per unit. */
function boundedModels(): string[] {
  return prices.models().filter((model) => {
    const { unbounded, sheets } = prices.findRow(model)!
    const { image, second, character } = sheets[0]!.tiers[0]!.rates
    return unbounded === undefined && [image, second, character].every((rate) => rate === undefined)
  })
}

describe("the inverse of the bound", () => {
  const models = boundedModels()

  it("counts no more tokens than are exact for all answers together", () => {
    const table = createPriceTable({ "test/tiny": { input: "0.000001", output: "0.000001" } })
    const bound = (maxOutputTokens: number) =>
      table.upperBound("test/tiny", { inputTokens: 0, maxOutputTokens, choices: 3 })
    const maximum = table.affordableOutputTokens("test/tiny", {
      inputTokens: 0,
      choices: 3,
      budgetNanoUsd: Number.MAX_SAFE_INTEGER,
    })
    expect(maximum).toBe(Math.floor(Number.MAX_SAFE_INTEGER / 3))
    expect(bound(maximum).picoUsd).toBe(BigInt(maximum) * 3n)
    // 3 × (2^53 − 1) is not a safe integer: rounded down it would be a bound below the cost.
    expect(() => bound(Number.MAX_SAFE_INTEGER)).toThrow("`maxOutputTokens × choices`")
  })

  it("is the largest count whose bound fits, for every row and budget", () => {
    fc.assert(
      fc.property(
        fc.nat(models.length - 1),
        fc.nat(400_000),
        fc.integer({ min: 0, max: 2_000_000_000 }),
        fc.integer({ min: 1, max: 4 }),
        fc.constantFrom(undefined, "default", "first", "last"),
        (index, inputTokens, budget, choices, tier) => {
          const model = models[index]!
          const listed = prices.findRow(model)!.sheets.map((sheet) => sheet.serviceTier)
          const serviceTier = tier === "first" ? listed[0] : tier === "last" ? listed.at(-1) : tier
          const at = Date.UTC(2026, 10, 23)
          const options = { inputTokens, choices, serviceTier, at }
          const tokens = affordableOutputTokens(model, { ...options, budgetNanoUsd: budget })
          const bound = (maxOutputTokens: number) => upperBound(model, { ...options, maxOutputTokens }).nanoUsd
          const row = prices.findRow(model)!
          const certain = row.maxOutputBasis === "same model" ? row.contextWindow : row.maxOutputTokens
          const maximum = certain ?? Math.floor((Number.MAX_SAFE_INTEGER - inputTokens) / choices)
          if (tokens > 0) expect(bound(tokens)).toBeLessThanOrEqual(budget)
          else if (bound(0) <= budget) expect(bound(1)).toBeGreaterThan(budget)
          if (tokens > 0 && tokens < maximum) expect(bound(tokens + 1)).toBeGreaterThan(budget)
        },
      ),
      { numRuns: 20_000, seed: 7 },
    )
  })

  it("stops at the requested maximum, at the model's maximum, and at 0 if the input does not fit", () => {
    const afford = (budget: number, maxOutputTokens?: number) =>
      affordableOutputTokens("gpt-4o-mini", {
        inputTokens: 1000,
        budgetNanoUsd: budget,
        maxOutputTokens,
        serviceTier: "default",
      })
    expect([
      afford(1_000_000_000),
      afford(1_000_000_000, 10),
      afford(149_999),
      afford(150_000),
      afford(150_600),
    ]).toEqual([16_384, 10, 0, 0, 1])
  })
})

describe("a bound", () => {
  it("without a known or requested maximum of output tokens is an error", () => {
    const table = createPriceTable({ "test/open": { input: "1", output: "2" } })
    expect(() => table.upperBound("test/open", { inputTokens: 10 })).toThrow(UnboundedCostError)
    expect(table.upperBound("test/open", { inputTokens: 10, maxOutputTokens: 10 }).nanoUsd).toBe(30_000)
    expect(upperBound("gpt-4o-mini", { inputTokens: 0, serviceTier: "default" }).nanoUsd).toBe(16_384 * 600)
  })

  it("uses a listed maximum, and the window where only another seller of the model lists one", () => {
    const at = { inputTokens: 0, serviceTier: "default", outputModalities: ["text" as const] }
    const bound = (model: string) => {
      const { maxOutputTokens, maxOutputBasis, contextWindow, rates } = prices.priceOf(model)
      const tokens = upperBound(model, at).lines.find(({ picoUsdPerUnit }) => picoUsdPerUnit === rates.output)?.count
      return { maxOutputTokens, maxOutputBasis, contextWindow, tokens }
    }
    expect(bound("gpt-4o-mini")).toMatchObject({ maxOutputBasis: "listed", maxOutputTokens: 16_384, tokens: 16_384 })
    expect(bound("quicksilverpro/claude-opus-5")).toMatchObject({
      maxOutputBasis: "same model",
      maxOutputTokens: 128_000,
      tokens: 1_000_000,
    })
    expect(bound("xai/grok-3")).toMatchObject({
      maxOutputBasis: "context window",
      maxOutputTokens: 131_072,
      tokens: 131_072,
    })
  })

  it("is an error where only another seller lists a maximum and no window is known", () => {
    const uncertain = prices.models().filter((model) => {
      const { maxOutputBasis, contextWindow } = prices.findRow(model)!
      return maxOutputBasis === "same model" && contextWindow === undefined
    })
    expect(uncertain.length).toBeGreaterThan(10)
    for (const model of uncertain) {
      expect(() => upperBound(model, { inputTokens: 1 }), model).toThrow(UnboundedCostError)
      expect(upperBound(model, { inputTokens: 1, maxOutputTokens: 1 }).nanoUsd, model).toBeGreaterThan(0)
    }
  })

  it("counts a one-hour cache write unless the caller excludes it and writes happen on request", () => {
    const bound = (cacheWrites?: "any" | "5m" | "none") =>
      upperBound("claude-opus-5-5", {
        inputTokens: 1000,
        maxOutputTokens: 0,
        serviceTier: "default",
        region: "global",
        cacheWrites,
      }).nanoUsd
    expect([bound(), bound("5m"), bound("none")]).toEqual([8_000_000, 5_000_000, 4_000_000])
  })

  it("counts audio and images unless the caller excludes them", () => {
    const table = createPriceTable({
      "test/media": {
        input: "1",
        output: "2",
        audioInput: "30",
        imageInput: "10",
        audioOutput: "80",
        reasoning: "4",
        maxOutputTokens: 100,
      },
    })
    const bound = (inputModalities?: ("text" | "image")[], outputModalities?: "text"[]) =>
      table.upperBound("test/media", { inputTokens: 100, inputModalities, outputModalities }).nanoUsd
    expect([bound(), bound(["text", "image"]), bound(["text"]), bound(["text"], ["text"])]).toEqual([
      11_000_000, 9_000_000, 8_100_000, 500_000,
    ])
  })

  it("counts every answer, every search and the request fee", () => {
    const table = createPriceTable({ "test/full": { input: "1", output: "2", request: "0.001", search: "0.01" } })
    const bound = table.upperBound("test/full", { inputTokens: 10, maxOutputTokens: 5, choices: 3, webSearches: 2 })
    expect(bound.nanoUsd).toBe(10_000 + 30_000 + 1_000_000 + 20_000_000)
    expect(bound.lines.map((line) => [line.kind, line.count])).toEqual([
      ["input", 10],
      ["request", 1],
      ["search", 2],
      ["output", 15],
    ])
  })

  it("counts the higher of two prices if the sources disagree", () => {
    const options = { inputTokens: 1000, maxOutputTokens: 0, serviceTier: "default", cacheWrites: "none" as const }
    expect(prices.costOf("mistral-large-latest", { inputTokens: 1000, outputTokens: 0 }).nanoUsd).toBe(500_000)
    expect(upperBound("mistral-large-latest", options).nanoUsd).toBe(2_000_000)
  })

  it("tells OpenRouter the most expensive endpoint that it assumed", () => {
    const { maxPrice } = upperBound("openrouter/openai/gpt-6-sol", { inputTokens: 300_000, maxOutputTokens: 100 })
    expect(maxPrice).toEqual({ prompt: 2, completion: 10 })
    expect(upperBound("gpt-6-sol", { inputTokens: 1, maxOutputTokens: 1 }).maxPrice).toBeUndefined()
  })

  it("never falls when the input or the output grows", () => {
    const random = new Random(11)
    const models = boundedModels()
    for (let index = 0; index < 5_000; index++) {
      const model = random.pick(models)
      const [inputTokens, maxOutputTokens] = [random.upTo(500_000), random.upTo(50_000)]
      const bound = (more: number, longer: number) =>
        upperBound(model, { inputTokens: inputTokens + more, maxOutputTokens: maxOutputTokens + longer }).picoUsd
      const base = bound(0, 0)
      expect(bound(random.upTo(10_000), 0) >= base && bound(0, random.upTo(10_000)) >= base).toBe(true)
    }
  })

  it.each([
    { inputTokens: -1 },
    { inputTokens: 1.5 },
    { inputTokens: 1, maxOutputTokens: -1 },
    { inputTokens: 1, choices: 0 },
    { inputTokens: 1, webSearches: 0.5 },
    { inputTokens: 1, at: 2, deadline: 1 },
    { inputTokens: 1, at: "yesterday" },
  ])("of %j is a usage error", (options) => {
    expect(() => upperBound("gpt-4o-mini", options)).toThrow(expect.objectContaining({ code: "invalid-argument" }))
  })
})
