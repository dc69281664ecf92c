import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { tableDate } from "../src/index"
import type { PriceRow } from "../src/table/price-row"
import { publishedPrices as prices } from "../src/table/published-prices"
import { isPerPiece, RATE_KINDS } from "../src/table/rates"

const rows: PriceRow[] = prices.models().map((model) => prices.findRow(model)!)
/** The most expensive published rate is USD 600 per million tokens (o1-pro); a piece costs at most USD 1. */
const MAX_PICO_PER_TOKEN = 1_000_000_000
const MAX_PICO_PER_PIECE = 1_000_000_000_000

describe("the table", () => {
  it("has at least 2,000 rows of at least 40 providers", () => {
    expect(rows.length).toBeGreaterThanOrEqual(2_000)
    expect(new Set(rows.map((row) => row.provider)).size).toBeGreaterThanOrEqual(40)
  })

  it("knows the maximum output tokens of at least 95 % of the rows that generate answers, and its basis", () => {
    // The tokens of generated images are those of their size, and have no maximum.
    const chat = rows.filter(
      (row) =>
        !/\/gpt-image-/.test(row.model) &&
        row.sheets.some((sheet) => sheet.tiers.some((tier) => tier.rates.output > 0)),
    )
    const share = (...bases: unknown[]) => chat.filter((row) => bases.includes(row.maxOutputBasis)).length / chat.length
    expect(share("listed", "same model", "context window")).toBeGreaterThanOrEqual(0.95)
    expect(share("listed", "same model")).toBeGreaterThanOrEqual(0.83)
    expect(share("listed")).toBeGreaterThanOrEqual(0.65)
    for (const row of rows) expect(row.maxOutputBasis === undefined, row.model).toBe(row.maxOutputTokens === undefined)
  })

  it("takes a maximum of another seller within the row's own window, as derived-maximums.md lists", () => {
    const report = readFileSync(new URL("../derived-maximums.md", import.meta.url), "utf8")
    const lines = [...report.matchAll(/^\| `([^`]+)` +\| (\d+) +\| `([^`]+)`/gm)]
    const derived = rows.filter((row) => row.maxOutputBasis === "same model")
    expect(lines.map(([, model]) => model).sort()).toEqual(derived.map((row) => row.model).sort())
    for (const [, model, maximum] of lines) {
      const row = prices.findRow(model!)!
      expect(row.maxOutputTokens, model).toBe(Number(maximum))
      expect(row.maxOutputTokens! <= (row.contextWindow ?? Number.POSITIVE_INFINITY), model).toBe(true)
    }
  })

  it("has a source and a day for every row", () => {
    for (const row of rows) {
      expect(row.asOf, row.model).toMatch(/^20\d\d-\d\d-\d\d$/)
      expect(row.source, row.model).toMatch(/@earendil-works\/pi-ai|@pydantic\/genai-prices|^https:\/\//)
      expect(row.asOf <= "2027-12-31", row.model).toBe(true)
    }
    expect(tableDate()).toMatch(/^20\d\d-\d\d-\d\d$/)
  })

  it("has rates in range, tiers by growing input, and no row that is free without the flag", () => {
    for (const row of rows) {
      const all: number[] = []
      for (const sheet of row.sheets) {
        expect(sheet.tiers[0]!.fromInputTokens, row.model).toBe(0)
        const starts = sheet.tiers.map((tier) => tier.fromInputTokens)
        expect(starts, row.model).toEqual([...new Set(starts)].sort((a, b) => a - b))
        for (const { rates } of sheet.tiers)
          for (const kind of RATE_KINDS) {
            const rate = rates[kind] ?? 0
            const max = isPerPiece(kind) ? MAX_PICO_PER_PIECE : MAX_PICO_PER_TOKEN
            expect(Number.isSafeInteger(rate) && rate >= 0 && rate <= max, `${row.model} ${kind} ${rate}`).toBe(true)
            all.push(rate)
          }
      }
      expect(
        all.every((rate) => rate === 0),
        row.model,
      ).toBe(row.free === true)
    }
  })

  it("has a standard sheet in every row, and limits that fit together", () => {
    for (const row of rows) {
      expect(
        row.sheets.some((sheet) => sheet.serviceTier === "default" && !sheet.boundOnly),
        row.model,
      ).toBe(true)
      for (const limit of [row.contextWindow, row.maxInputTokens, row.maxOutputTokens])
        expect(limit === undefined || (Number.isSafeInteger(limit) && limit > 0), row.model).toBe(true)
    }
  })

  it("bills an hour in Claude's cache above five minutes, at twice the input, in every service tier", () => {
    const claude = rows.filter(
      (row) => row.provider === "anthropic" && row.sheets[0]!.tiers[0]!.rates.cacheWrite !== undefined,
    )
    expect(claude.length).toBeGreaterThan(15)
    for (const row of claude)
      for (const { serviceTier, tiers } of row.sheets)
        for (const { rates } of tiers) expect(rates.cacheWrite1h, `${row.model} ${serviceTier}`).toBe(2 * rates.input)
  })
})
