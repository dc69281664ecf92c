import { describe, expect, it } from "vitest"
import { costOf, createPriceTable, findPrice, priceOf, upperBound } from "../src/index"

/** A model's input rate at a given time, in USD per million. */
const inputAt = (model: string, at: string, serviceTier?: string) =>
  priceOf(model, { at, serviceTier }).rates.input / 1e6

describe("DeepSeek's peak hours, 01:00–04:00 and 06:00–10:00 UTC on weekdays", () => {
  it.each([
    ["2026-11-23T00:59:59.999Z", 0.66],
    ["2026-11-23T01:00:00.000Z", 1.32],
    ["2026-11-23T03:59:59.999Z", 1.32],
    ["2026-11-23T04:00:00.000Z", 0.66],
    ["2026-11-23T06:00:00.000Z", 1.32],
    ["2026-11-23T10:00:00.000Z", 0.66],
    ["2026-11-27T09:59:59.999Z", 1.32],
    ["2026-11-28T02:00:00.000Z", 0.66],
    ["2026-11-29T07:00:00.000Z", 0.66],
    ["2026-08-01T02:00:00.000Z", 0.435],
    ["2026-08-16T15:59:59.999Z", 0.435],
    ["2026-08-16T16:00:00.000Z", 0.66],
    ["2026-08-22T02:00:00.000Z", 1.32],
    ["2026-08-23T02:00:00.000Z", 0.66],
  ])("deepseek-v4-pro at %s costs %d", (at, usd) => {
    expect(inputAt("deepseek-v4-pro", at)).toBe(usd)
  })

  it("a bound counts them if the call may last into them", () => {
    const bound = (at: string, deadline?: string) =>
      upperBound("deepseek-v4-pro", { inputTokens: 1_000_000, maxOutputTokens: 0, at, deadline }).nanoUsd / 1e9
    expect(bound("2026-11-23T00:50:00Z", "2026-11-23T00:59:59Z")).toBe(0.66)
    expect(bound("2026-11-23T00:50:00Z", "2026-11-23T01:00:00Z")).toBe(1.32)
    expect(bound("2026-11-23T03:59:59Z", "2026-11-23T05:00:00Z")).toBe(1.32)
    expect(bound("2026-11-23T04:00:00Z", "2026-11-23T05:00:00Z")).toBe(0.66)
    expect(bound("2026-11-28T00:00:00Z", "2026-11-29T23:59:59Z")).toBe(0.66)
    expect(bound("2026-11-28T00:00:00Z")).toBe(1.32)
  })
})

describe("Gemini 3.6 to 3.8 Flash, half price until the end of 2026", () => {
  it.each([
    ["2026-12-31T23:59:59.999Z", undefined, 0.75],
    ["2027-01-01T00:00:00.000Z", undefined, 1.5],
    ["2026-12-31T23:59:59.999Z", "batch", 0.375],
    ["2027-01-01T00:00:00.000Z", "batch", 0.75],
    ["2027-01-01T00:00:00.000Z", "priority", 3],
  ])("at %s in tier %s cost %d", (at, serviceTier, usd) => {
    for (const model of ["gemini-3.6-flash", "gemini-3.7-flash", "gemini-3.8-flash"])
      expect(inputAt(model, at, serviceTier), model).toBe(usd)
  })

  it.each([
    "google/gemini-3.8-flash",
    "openrouter/google/gemini-3.7-flash",
    "vercel-ai-gateway/google/gemini-3.6-flash",
  ])("the bound of %s counts the full price once the call can last into it", (model) => {
    const bound = (deadline: string) =>
      upperBound(model, {
        inputTokens: 1_000_000,
        maxOutputTokens: 0,
        inputModalities: ["text"],
        serviceTier: "default",
        byok: false,
        at: "2026-12-31T23:00:00Z",
        deadline,
      }).nanoUsd / 1e9
    expect(bound("2026-12-31T23:59:59Z")).toBe(0.75)
    expect(bound("2027-01-01T00:00:00Z")).toBe(1.5)
  })
})

describe("hours over midnight belong to the day on which they begin", () => {
  const table = createPriceTable({
    "test/night": {
      input: "1",
      output: "1",
      periods: [{ input: "3", output: "3", window: { days: [5], startMinute: 22 * 60, endMinute: 2 * 60 } }],
    },
  })
  it.each([
    ["2026-11-20T21:59:59Z", 1],
    ["2026-11-20T22:00:00Z", 3],
    ["2026-11-21T01:59:59Z", 3],
    ["2026-11-21T02:00:00Z", 1],
    ["2026-11-20T01:00:00Z", 1],
    ["2026-11-21T22:30:00Z", 1],
  ])("%s costs %d", (at, usd) => {
    expect(table.priceOf("test/night", { at }).rates.input / 1e6).toBe(usd)
  })

  it("and a bound counts them from either side", () => {
    const bound = (at: string, deadline: string) =>
      table.upperBound("test/night", { inputTokens: 1_000_000, maxOutputTokens: 0, at, deadline }).nanoUsd / 1e9
    expect(bound("2026-11-21T01:00:00Z", "2026-11-21T01:30:00Z")).toBe(3)
    expect(bound("2026-11-21T02:00:00Z", "2026-11-22T02:00:00Z")).toBe(1)
  })
})

describe("dated prices", () => {
  it("apply from their date on, and a bound no longer counts the old price", () => {
    expect(inputAt("gpt-5.6-sol", "2026-08-20T23:59:59Z")).toBe(5)
    expect(inputAt("gpt-5.6-sol", "2026-08-21T00:00:00Z")).toBe(4)
    const options = { inputTokens: 1_000, maxOutputTokens: 0, serviceTier: "default", cacheWrites: "none" as const }
    const bound = (at: string, deadline = at) => upperBound("gpt-5.6-sol", { ...options, at, deadline }).picoUsd
    // OpenAI writes to its cache automatically, so the write rate applies: 1.25 times the input.
    expect([bound("2026-08-20T00:00:00Z"), bound("2026-08-21T00:00:00Z")]).toEqual([6_250_000_000n, 5_000_000_000n])
  })

  it("of a promotion that is guaranteed until a day: afterwards a bound counts the list price, and a cost does not", () => {
    const options = { inputTokens: 1_000, maxOutputTokens: 1_000, serviceTier: "default", cacheWrites: "none" as const }
    const bound = (at: string, deadline?: string) => upperBound("gpt-5.6-sol", { ...options, at, deadline }).nanoUsd
    const promotion = 1_000 * 5_000 + 1_000 * 20_000
    const list = 1_000 * 6_250 + 1_000 * 30_000
    expect(bound("2026-11-01", "2026-11-21T23:59:59Z")).toBe(promotion)
    expect(bound("2026-11-01", "2026-11-22")).toBe(list)
    expect(bound("2026-11-01")).toBe(list)
    const usage = { inputTokens: 1_000, outputTokens: 1_000 }
    expect(costOf("gpt-5.6-sol", usage, { at: "2026-12-01" }).nanoUsd).toBe(24_000_000)
    expect(costOf("gpt-5.6-sol", { ...usage, inputTokens: 300_000 }, { at: "2026-12-01" }).nanoUsd).toBeLessThan(
      upperBound("gpt-5.6-sol", { ...options, inputTokens: 300_000, at: "2026-12-01" }).nanoUsd,
    )
  })

  it("of a service tier: OpenAI's ultrafast doubles on 2027-03-01", () => {
    expect(inputAt("gpt-6.2-sol", "2027-02-28T23:59:59Z", "ultrafast")).toBe(6)
    expect(inputAt("gpt-6.2-sol", "2027-03-01T00:00:00Z", "ultrafast")).toBe(12)
  })

  it("an invalid moment is a usage error", () => {
    const usage = { inputTokens: 1, outputTokens: 1 }
    for (const at of ["never", Number.NaN, new Date("x")])
      expect(() => costOf("gpt-5.6-sol", usage, { at })).toThrow(expect.objectContaining({ code: "invalid-argument" }))
  })
})

describe("service tiers", () => {
  it.each([
    ["gpt-4o-mini", "batch", 0.075],
    ["gpt-4o-mini", "priority", 0.25],
    ["gpt-4o-mini", "default", 0.15],
    ["gpt-4o-mini", "auto", 0.15],
    ["gpt-6-sol", "flex", 1],
    ["gpt-6-sol", "fast", 4],
    ["gpt-5.5", "priority", 12.5],
    ["claude-opus-5-5", "batch", 2],
    ["claude-opus-5-5", "fast", 8],
    ["gemini-3.8-flash", "flex", 0.375],
    ["grok-4.3", "batch", 1],
  ])("%s, %s: %d USD per million", (model, serviceTier, usd) => {
    expect(inputAt(model, "2026-11-23T12:00:00Z", serviceTier)).toBe(usd)
  })

  it("one without a listed price is an error for a cost and for a bound", () => {
    const usage = { inputTokens: 1_000, outputTokens: 0 }
    const options = { inputTokens: 1000, maxOutputTokens: 0, cacheWrites: "none" as const }
    expect(() => costOf("gpt-5.5", usage, { serviceTier: "scale" })).toThrow(
      expect.objectContaining({ code: "unpriced-usage", usage: "serviceTier" }),
    )
    expect(() => upperBound("gpt-5.5", { ...options, serviceTier: "scale" })).toThrow(
      expect.objectContaining({ code: "unbounded-cost", reason: "service-tier" }),
    )
    expect(() => priceOf("gpt-5.5", { serviceTier: "scale" })).toThrow(/serviceTiers: { "scale"/)
    expect(findPrice("gpt-5.5", { serviceTier: "scale" })).toBeUndefined()
  })

  it("absent or auto is bounded by the most expensive listed one", () => {
    const options = { inputTokens: 1000, maxOutputTokens: 0, cacheWrites: "none" as const }
    const bound = (serviceTier?: string) => upperBound("gpt-5.5", { ...options, serviceTier }).nanoUsd
    expect([bound("default"), bound("priority"), bound("auto"), bound()]).toEqual([
      5_000_000, 12_500_000, 12_500_000, 12_500_000,
    ])
  })
})
