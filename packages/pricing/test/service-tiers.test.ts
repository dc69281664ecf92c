import { describe, expect, it } from "vitest"
import {
  costOf,
  createPriceTable,
  findPrice,
  models,
  UnboundedCostError,
  UnpricedUsageError,
  upperBound,
} from "../src/index"

/** One text model of each provider, and the tiers that providers, gateways and SDKs send. */
const MODELS = [
  "openai/gpt-5.5",
  "openai/gpt-4o-mini",
  "openai/gpt-3.5-turbo",
  "azure/gpt-4o",
  "anthropic/claude-opus-5-5",
  "anthropic/claude-3-5-haiku-latest",
  "google/gemini-3.8-flash",
  "google/gemini-2.0-flash",
  "xai/grok-4.3",
  "mistral/mistral-large-latest",
  "openrouter/openai/gpt-4o-mini",
  "openrouter/anthropic/claude-opus-5.5",
  "openrouter/google/gemini-3.8-flash",
  "vercel-ai-gateway/openai/gpt-5.5",
  "amazon-bedrock/us.anthropic.claude-opus-5-5",
]
const TIERS = [
  "priority",
  "flex",
  "batch",
  "fast",
  "ultrafast",
  "scale",
  "performance",
  "reserved",
  "Priority",
  "turbo",
]
const usage = { inputTokens: 1_000, outputTokens: 100 }
const options = { inputTokens: 1_000, maxOutputTokens: 100 }

describe("a service tier, sent or reported", () => {
  const cases = MODELS.flatMap((model) => TIERS.map((serviceTier) => ({ model, serviceTier })))

  it.each(cases)("$model, $serviceTier: has its listed price, or none at all", ({ model, serviceTier }) => {
    const listed = findPrice(model)!.serviceTiers
    const twin = serviceTier === "fast" ? "priority" : serviceTier === "priority" ? "fast" : serviceTier
    if (listed.includes(serviceTier) || listed.includes(twin)) {
      const cost = costOf(model, usage, { serviceTier })
      expect([serviceTier, twin]).toContain(cost.tier!.serviceTier)
      const bound = upperBound(model, { ...options, serviceTier })
      expect(bound.nanoUsd).toBeGreaterThanOrEqual(cost.nanoUsd)
      // The bound without a stated tier covers this tier too.
      expect(upperBound(model, options).nanoUsd).toBeGreaterThanOrEqual(bound.nanoUsd)
      return
    }
    expect(() => costOf(model, usage, { serviceTier })).toThrow(UnpricedUsageError)
    expect(() => upperBound(model, { ...options, serviceTier })).toThrow(
      expect.objectContaining({ code: "unbounded-cost", reason: "service-tier" }),
    )
    expect(findPrice(model, { serviceTier })).toBeUndefined()
  })

  it("priority through OpenRouter has no listed price, so it is not bounded at the standard price", () => {
    const call = () => upperBound("openrouter/openai/gpt-4o-mini", { ...options, serviceTier: "priority" })
    expect(call).toThrow(UnboundedCostError)
    expect(call).toThrow('add `serviceTiers: { "priority": { input, output } }` to a price of your own')
  })

  it("that was written as the error says is bounded", () => {
    const table = createPriceTable(
      {
        "openrouter/openai/gpt-4o-mini": {
          input: "0.15",
          output: "0.6",
          serviceTiers: { priority: { input: "0.25", output: "1" } },
        },
      },
      { extends: "published" },
    )
    const bound = table.upperBound("openrouter/openai/gpt-4o-mini", { ...options, serviceTier: "priority" })
    expect(bound.nanoUsd).toBe(1_000 * 250 + 100 * 1_000)
  })

  it.each(["default", "standard", "on_demand", "standard_only"])("%s is the standard one", (serviceTier) => {
    for (const model of MODELS) expect(costOf(model, usage, { serviceTier }).nanoUsd).toBe(costOf(model, usage).nanoUsd)
  })

  it("that is absent or auto is bounded by the most expensive listed tier, in every row that lists one", () => {
    const tiered = models().filter((model) => (findPrice(model)?.serviceTiers.length ?? 0) > 1)
    expect(tiered.length).toBeGreaterThan(100)
    for (const model of tiered) {
      const { serviceTiers, rates } = findPrice(model)!
      const isByToken = rates.second === undefined && rates.image === undefined && rates.character === undefined
      if (!isByToken || model.includes("deep-research")) continue
      const stated = serviceTiers.map((serviceTier) => upperBound(model, { ...options, serviceTier }).nanoUsd)
      expect(upperBound(model, options).nanoUsd, model).toBe(Math.max(...stated))
      expect(upperBound(model, { ...options, serviceTier: "auto" }).nanoUsd, model).toBe(Math.max(...stated))
    }
  })

  it("that the provider reported as charged needs no listed price", () => {
    const cost = costOf("gpt-5.5", usage, { serviceTier: "scale", reported: { costUsd: "0.01" } })
    expect([cost.nanoUsd, cost.basis, "differenceNanoUsd" in cost]).toEqual([10_000_000, "provider", false])
  })
})

describe("a custom tier that names only input and output", () => {
  const base = { input: "3", output: "15", cacheRead: "0.3", cacheWrite: "3.75", cacheWrite1h: "6", request: "0.001" }
  const table = createPriceTable({
    context: { ...base, tiers: [{ fromInputTokens: 200_000, input: "6", output: "22.5" }] },
    priority: { ...base, serviceTiers: { priority: { input: "6", output: "30" } } },
    batch: { ...base, serviceTiers: { batch: { input: "1.5", output: "7.5" } } },
    period: { ...base, periods: [{ input: "6", output: "30", from: "2026-01-01" }] },
  })
  const raised = { cacheRead: 600_000, cacheWrite: 7_500_000, cacheWrite1h: 12_000_000, request: 1_000_000_000 }

  it("has the other rates of the base, raised in proportion", () => {
    expect(table.priceOf("context").tiers[1]!.rates).toMatchObject({ input: 6_000_000, output: 22_500_000, ...raised })
    expect(table.priceOf("priority", { serviceTier: "priority" }).rates).toMatchObject(raised)
    expect(table.priceOf("period").rates).toMatchObject(raised)
  })

  it("has them unchanged where it is cheaper", () => {
    expect(table.priceOf("batch", { serviceTier: "batch" }).rates).toMatchObject({
      input: 1_500_000,
      output: 7_500_000,
      cacheRead: 300_000,
      cacheWrite: 3_750_000,
      cacheWrite1h: 6_000_000,
      request: 1_000_000_000,
    })
  })

  it("keeps the rates that it names", () => {
    const own = createPriceTable({
      a: { ...base, tiers: [{ fromInputTokens: 10, input: "6", cacheWrite: "7", output: "15" }] },
    })
    expect(own.priceOf("a").tiers[1]!.rates).toMatchObject({ cacheWrite: 7_000_000, cacheWrite1h: 12_000_000 })
  })
})

describe("a usage that sums several calls", () => {
  const table = createPriceTable({
    a: { input: "1", output: "2", request: "0.001", tiers: [{ fromInputTokens: 200_000, input: "2", output: "4" }] },
  })
  const sum = { inputTokens: 300_000, outputTokens: 0 }

  it("is priced at the context tier of the mean input, with one request fee for each call", () => {
    expect(table.costOf("a", sum).nanoUsd).toBe(600_000_000 + 1_000_000)
    expect(table.costOf("a", sum, { calls: 3 }).nanoUsd).toBe(300_000_000 + 3_000_000)
    expect(table.costOf("a", { ...sum, calls: 3 }).nanoUsd).toBe(300_000_000 + 3_000_000)
    expect(table.costOf("a", { ...sum, inputTokens: 600_000 }, { calls: 3 }).nanoUsd).toBe(1_200_000_000 + 3_000_000)
    expect(table.costOf("a", { ...sum, inputTokens: 599_998 }, { calls: 3 }).tier!.fromInputTokens).toBe(200_000)
  })

  it.each([0, -1, 1.5, Number.NaN, "3"])("of %s calls is a usage error", (calls) => {
    expect(() => table.costOf("a", sum, { calls: calls as number })).toThrow(/Invalid `calls`/)
  })
})
