import { describe, expect, it } from "vitest"
import { costOf, createPriceTable, UnpricedUsageError } from "../src/index"
import { publishedPrices as prices } from "../src/table/published-prices"

const table = createPriceTable({
  "test/odd": { input: "0.000001", output: "0.000003", asOf: "2026-11-01", maxOutputTokens: 100 },
  "test/dear": { input: "9007199254.740991", output: "1" },
  "test/media": {
    input: "1",
    output: "2",
    cacheRead: "0.1",
    cacheWrite: "1.25",
    audioInput: "10",
    imageInput: "5",
    request: "0.001",
    search: "0.01",
  },
})

describe("rounding", () => {
  it.each([
    [0, 0],
    [1, 1],
    [999, 1],
    [1000, 1],
    [1001, 2],
    [1999, 2],
  ])("%d pico-USD is %d nano-USD: up, once", (tokens, nano) => {
    const cost = table.costOf("test/odd", { inputTokens: tokens, outputTokens: 0 })
    expect([cost.picoUsd, cost.nanoUsd]).toEqual([BigInt(tokens), nano])
  })

  it("is exact beyond 2^53 pico-USD", () => {
    const cost = table.costOf("test/dear", { inputTokens: 1, outputTokens: 3 })
    // 9007199254740991 + 3,000,000 pico-USD.
    expect(cost.picoUsd).toBe(9_007_199_257_740_991n)
    expect(cost.nanoUsd).toBe(9_007_199_257_741)
    expect(table.costOf("test/dear", { inputTokens: 999, outputTokens: 0 }).picoUsd).toBe(9_007_199_254_740_991n * 999n)
  })

  it("rejects an amount beyond 2^53 − 1 nano-USD", () => {
    expect(() => table.costOf("test/dear", { inputTokens: 2_000, outputTokens: 0 })).toThrow(/2\^53/)
  })
})

describe("a bill", () => {
  it("has a line for everything that was used, and the lines sum to the total", () => {
    const usage = {
      inputTokens: 1000,
      outputTokens: 10,
      cacheReadTokens: 500,
      cacheWriteTokens: 100,
      audioInputTokens: 50,
      webSearches: 2,
    }
    const cost = table.costOf("test/media", usage)
    expect(cost.lines).toEqual([
      { kind: "input", count: 350, picoUsdPerUnit: 1_000_000 },
      { kind: "cacheRead", count: 500, picoUsdPerUnit: 100_000 },
      { kind: "cacheWrite", count: 100, picoUsdPerUnit: 1_250_000 },
      { kind: "audioInput", count: 50, picoUsdPerUnit: 10_000_000 },
      { kind: "output", count: 10, picoUsdPerUnit: 2_000_000 },
      { kind: "request", count: 1, picoUsdPerUnit: 1_000_000_000 },
      { kind: "search", count: 2, picoUsdPerUnit: 10_000_000_000 },
    ])
    const sum = cost.lines.reduce((pico, line) => pico + BigInt(line.count) * BigInt(line.picoUsdPerUnit), 0n)
    expect(cost.picoUsd).toBe(sum)
    expect([cost.basis, cost.model]).toEqual(["custom", "test/media"])
  })

  it("bills cached tokens that cannot have been text as fresh audio or images", () => {
    const cost = table.costOf("test/media", {
      inputTokens: 100,
      outputTokens: 0,
      cacheReadTokens: 80,
      audioInputTokens: 60,
    })
    expect(cost.lines.slice(0, 2)).toEqual([
      { kind: "cacheRead", count: 40, picoUsdPerUnit: 100_000 },
      { kind: "audioInput", count: 60, picoUsdPerUnit: 10_000_000 },
    ])
  })

  it("is JSON without its bigint", () => {
    const cost = costOf("gpt-4o-mini", { inputTokens: 1000, outputTokens: 100 })
    expect(JSON.parse(JSON.stringify(cost))).toMatchObject({
      nanoUsd: 210_000,
      basis: "table",
      model: "openai/gpt-4o-mini",
    })
    expect(typeof cost.picoUsd).toBe("bigint")
  })
})

describe("contradictory usage", () => {
  it.each([
    { inputTokens: -1, outputTokens: 0 },
    { inputTokens: 1.5, outputTokens: 0 },
    { inputTokens: Number.NaN, outputTokens: 0 },
    { inputTokens: 2 ** 53, outputTokens: 0 },
    { inputTokens: 1 } as never,
    { inputTokens: 1, outputTokens: null } as never,
    { inputTokens: 10, outputTokens: 0, cacheReadTokens: 11 },
    { inputTokens: 10, outputTokens: 0, cacheReadTokens: 5, cacheWriteTokens: 4, cacheWrite1hTokens: 2 },
    { inputTokens: 10, outputTokens: 0, audioInputTokens: 6, imageInputTokens: 5 },
    { inputTokens: 0, outputTokens: 10, reasoningTokens: 11 },
    { inputTokens: 0, outputTokens: 10, webSearches: 0.5 },
  ])("%j is a usage error", (usage) => {
    expect(() => costOf("openai/gpt-5.4", usage)).toThrow(expect.objectContaining({ code: "invalid-argument" }))
  })

  it("a search without a rate is an error, not free", () => {
    const usage = { inputTokens: 1, outputTokens: 1, webSearches: 1 }
    expect(() => costOf("xai/grok-4.7", usage)).toThrow(UnpricedUsageError)
    expect(() => prices.upperBound("xai/grok-4.7", { inputTokens: 1, maxOutputTokens: 1, webSearches: 1 })).toThrow(
      UnpricedUsageError,
    )
  })
})

describe("what the provider reports", () => {
  const usage = { inputTokens: 1000, outputTokens: 100 }

  it("wins, and the result has the difference from the table", () => {
    const cost = costOf("openrouter/openai/gpt-4o-mini", usage, {
      reported: { costUsd: 0.00025 },
      at: "2026-11-23T10:00:00Z",
    })
    expect(cost).toMatchObject({
      nanoUsd: 250_000,
      basis: "provider",
      differenceNanoUsd: 40_000,
      asOf: "2026-11-23",
      lines: [],
    })
    expect(cost.picoUsd).toBe(250_000_000n)
  })

  it("adds the upstream cost only if the key is the user's own", () => {
    const reported = { costUsd: "0.00001", upstreamInferenceCost: "0.0002" }
    expect(costOf("openrouter/openai/gpt-4o-mini", usage, { reported }).nanoUsd).toBe(10_000)
    expect(costOf("openrouter/openai/gpt-4o-mini", usage, { reported: { ...reported, isByok: true } }).nanoUsd).toBe(
      210_000,
    )
    expect(() => costOf("openrouter/openai/gpt-4o-mini", usage, { reported: { costUsd: 1, isByok: true } })).toThrow(
      /upstream/,
    )
  })

  it.each([
    ["0.0000000001", 1],
    ["1e-10", 1],
    [1e-10, 1],
    [3.3e-7, 330],
    ["0.000000001000000000001", 2],
    [0, 0],
  ])("%s USD is %d nano-USD, by its digits and rounded up", (costUsd, nano) => {
    expect(costOf("openrouter/openai/gpt-4o-mini", usage, { reported: { costUsd } }).nanoUsd).toBe(nano)
  })

  it.each(["-1", -1, "", "1,5", Number.NaN, Number.POSITIVE_INFINITY, "0x1"])("rejects %s", (costUsd) => {
    expect(() => costOf("openrouter/openai/gpt-4o-mini", usage, { reported: { costUsd } })).toThrow(/reported.costUsd/)
  })

  it("counts for a model that the table does not list, without a difference", () => {
    const cost = costOf("openrouter/somebody/new-model", usage, { reported: { costUsd: "0.5" } })
    expect(cost).toMatchObject({ nanoUsd: 500_000_000, basis: "provider", model: "openrouter/somebody/new-model" })
    expect("differenceNanoUsd" in cost).toBe(false)
  })
})

describe("a value that is not a usage", () => {
  it.each([null, undefined, 5, "5"])("is a usage error: %j", (usage) => {
    expect(() => costOf("gpt-4o-mini", usage as never)).toThrow("Invalid `usage`: expected an object")
  })
})
