import { UnknownModelError } from "@p2/core"
import { describe, expect, it } from "vitest"
import { checkTableAge, createPriceTable, StalePricesError } from "../src/index"
import { publishedPrices as prices } from "../src/table/published-prices"

describe("a table of your own", () => {
  const table = createPriceTable(
    {
      "azure/eu-mini": {
        input: "0.165",
        output: "0.66",
        cacheRead: "0.083",
        contextWindow: 128_000,
        maxOutputTokens: 16_384,
        asOf: "2026-11-20",
        source: "contract 7",
      },
      "gpt-4o-mini": { input: "0.1", output: "0.4" },
      "own/free": { input: "0", output: "0", free: true },
      "own/tiers": {
        input: "1",
        output: "2",
        cacheRead: "0.1",
        tiers: [{ fromInputTokens: 1000, input: "2" }],
        serviceTiers: { batch: { input: "0.5", output: "1" } },
      },
    },
    { extends: "published", aliases: { "azure/prod": "azure/eu-mini", "azure/gpt": "openai/gpt-4o" } },
  )

  it("prices by exact id, with the basis custom", () => {
    const price = table.priceOf("azure/eu-mini")
    expect(price).toMatchObject({
      rates: { input: 165_000, output: 660_000, cacheRead: 83_000 },
      basis: "custom",
      asOf: "2026-11-20",
      source: "contract 7",
    })
    expect(table.priceOf("azure/prod").model).toBe("azure/eu-mini")
    expect(table.priceOf("azure/gpt").rates.input).toBe(2_500_000)
    expect(() => table.priceOf("azure/eu-mini-2026-01-01")).toThrow(UnknownModelError)
  })

  it("wins over the table that it extends, which prices the other ids", () => {
    expect(table.priceOf("gpt-4o-mini").rates.input).toBe(100_000)
    expect(table.priceOf("openai/gpt-4o-mini").rates.input).toBe(150_000)
    expect(createPriceTable({}).findPrice("openai/gpt-4o-mini")).toBeUndefined()
    expect(() => table.priceOf("azure/eu-mino")).toThrow(/azure\/eu-mini/)
    expect(table.tableDate >= prices.tableDate).toBe(true)
  })

  it("has context tiers that inherit rates, and service tiers", () => {
    expect(table.costOf("own/tiers", { inputTokens: 999, outputTokens: 0 }).nanoUsd).toBe(999_000)
    expect(table.costOf("own/tiers", { inputTokens: 1000, outputTokens: 1, cacheReadTokens: 1000 }).nanoUsd).toBe(
      202_000,
    )
    expect(table.costOf("own/tiers", { inputTokens: 10, outputTokens: 0 }, { serviceTier: "batch" }).nanoUsd).toBe(
      5_000,
    )
  })

  it.each([
    [{ input: 0.15, output: "1" }, "input"],
    [{ input: "0.15" }, "output"],
    [{ input: "-1", output: "1" }, "input"],
    [{ input: "a", output: "1" }, "input"],
    [{ input: "0", output: "0" }, "free"],
    [{ input: "1", output: "1", free: true }, "free"],
    [{ input: "1", output: "1", maxOutputTokens: 0 }, "maxOutputTokens"],
    [{ input: "1", output: "1", tiers: [{ fromInputTokens: 0 }] }, "tiers"],
    [{ input: "1", output: "1", asOf: "today" }, "asOf"],
    [{ input: "1", output: "1", periods: [{ input: "1", output: "1", from: "soon" }] }, "periods"],
    [
      {
        input: "1",
        output: "1",
        periods: [{ input: "1", output: "1", window: { days: [7], startMinute: 0, endMinute: 60 } }],
      },
      "window",
    ],
    [null, "entries"],
  ])("rejects %j and names %s", (entry, field) => {
    expect(() => createPriceTable({ "own/x": entry as never })).toThrow(field)
  })

  it("rejects an alias for an unknown id", () => {
    expect(() => createPriceTable({}, { extends: "published", aliases: { "azure/x": "openai/gpt-99" } })).toThrow(
      /aliases/,
    )
  })
})

describe("the age of the table", () => {
  it("passes at 45 days and fails at 46", () => {
    const newest = Date.parse(prices.tableDate)
    expect(checkTableAge({ at: newest + 45 * 86_400_000 + 1 })).toBe(45)
    expect(() => checkTableAge({ at: newest + 46 * 86_400_000 })).toThrow(StalePricesError)
    expect(() => checkTableAge({ at: newest, table: createPriceTable({}) })).toThrow(StalePricesError)
  })
})
