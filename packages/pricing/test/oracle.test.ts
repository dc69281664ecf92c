import { describe, expect, it } from "vitest"
import type { PriceRow } from "../src/table/price-row"
import { publishedPrices } from "../src/table/published-prices"
import { Random, randomUsage } from "./random-usage"
import { ceilNano, type OracleCall, oraclePico } from "./rational-oracle"

/** `pnpm oracle --cases 1000000` increases it. */
const CASES = Number(process.env.P2_ORACLE_CASES ?? 100_000)
const START_MS = Date.UTC(2026, 7, 1)
const END_MS = Date.UTC(2027, 5, 1)

function everyRow(): PriceRow[] {
  const online = ["openrouter/openai/gpt-4o-mini:online", "openrouter/x-ai/grok-4.7:online"]
  return [...publishedPrices.models(), ...online].map((model) => publishedPrices.findRow(model)!)
}

function randomCall(random: Random, row: PriceRow): OracleCall {
  const tiers = [undefined, "default", ...row.sheets.map((sheet) => sheet.serviceTier)]
  const regions = [undefined, "global", ...(row.regions ?? []).map(({ region }) => (region === "*" ? "eu" : region))]
  return {
    serviceTier: random.pick(tiers),
    region: random.pick(regions),
    byok: random.chance(0.3),
    calls: random.chance(0.7) ? 1 : 1 + random.upTo(50),
    atMs: randomInstant(random, row),
  }
}

/** A row has no price before its dated price begins. */
function randomInstant(random: Random, row: PriceRow): number {
  const begins = Math.min(...row.sheets.filter((sheet) => !sheet.boundOnly).map((sheet) => sheet.fromMs ?? START_MS))
  const start = Math.max(START_MS, begins)
  return start + random.upTo(END_MS - start)
}

describe(`${CASES} random calls over all rows`, () => {
  it("cost what the rational oracle computes, to the nano-USD and to the pico-USD", { timeout: 600_000 }, () => {
    const random = new Random(4)
    const rows = everyRow()
    const wrong: unknown[] = []
    for (let index = 0; index < CASES; index++) {
      const row = rows[index % rows.length]!
      const usage = randomUsage(random, row)
      const { atMs, ...call } = randomCall(random, row)
      const expected = oraclePico(row, usage, { ...call, atMs })
      const cost = publishedPrices.costOf(row.model, usage, { ...call, at: atMs })
      const isRight = cost.picoUsd === expected && BigInt(cost.nanoUsd) === ceilNano(expected)
      if (!isRight || cost.tokens !== usage.inputTokens + usage.outputTokens)
        wrong.push({ model: row.model, usage, call, atMs, pico: cost.picoUsd, nano: cost.nanoUsd, expected })
    }
    expect(wrong.slice(0, 3)).toEqual([])
  })

  it("never exceed the bound of their input and output", { timeout: 600_000 }, () => {
    const random = new Random(5)
    const rows = everyRow().filter((row) => row.unbounded === undefined)
    const over: unknown[] = []
    let tight = 0
    for (let index = 0; index < CASES; index++) {
      const row = rows[index % rows.length]!
      const usage = randomUsage(random, row)
      const { serviceTier, region, byok, atMs } = randomCall(random, row)
      const cost = publishedPrices.costOf(row.model, usage, { serviceTier, region, byok, at: atMs })
      const mayBeDefault = row.regions?.some((each) => each.mayBeDefault === true) ?? false
      const bound = publishedPrices.upperBound(row.model, {
        inputTokens: usage.inputTokens,
        maxOutputTokens: usage.outputTokens,
        webSearches: usage.webSearches,
        fileSearches: usage.fileSearches,
        codeInterpreterSessions: usage.codeInterpreterSessions,
        outputImages: usage.outputImages,
        audioSeconds: usage.audioSeconds,
        inputCharacters: usage.inputCharacters,
        // Stated, or left to settings of the provider's project; a window around the instant, or all time from before it.
        serviceTier: random.chance(0.5) ? undefined : serviceTier,
        region: mayBeDefault && random.chance(0.5) ? undefined : region,
        byok: random.chance(0.5) ? undefined : byok,
        at: atMs - random.upTo(60_000),
        deadline: random.chance(0.5) ? atMs + random.upTo(600_000) : undefined,
      })
      const exceeds = cost.nanoUsd > bound.nanoUsd || cost.picoUsd > bound.picoUsd || cost.tokens > bound.tokens
      if (exceeds) over.push({ model: row.model, usage, serviceTier, region, byok, atMs, cost, bound })
      if (cost.nanoUsd === bound.nanoUsd) tight++
    }
    expect(over.slice(0, 3)).toEqual([])
    // A bound that no cost reaches would not be a maximum.
    expect(tight).toBeGreaterThan(CASES / 100)
  })
})
