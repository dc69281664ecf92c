import { describe, expect, it } from "vitest"
import { type PriceRow, prices } from "../src/index"
import { Random, randomUsage } from "./random-usage"
import { ceilNano, oraclePico } from "./rational-oracle"

/** `pnpm oracle --cases 1000000` raises it. */
const CASES = Number(process.env.P2_ORACLE_CASES ?? 100_000)
const START_MS = Date.UTC(2026, 7, 1)
const END_MS = Date.UTC(2027, 5, 1)
const SERVICE_TIERS = [undefined, "default", "batch", "flex", "priority", "fast", "ultrafast", "unheard-of"]

function everyRow(): PriceRow[] {
  const online = ["openrouter/openai/gpt-4o-mini:online", "openrouter/x-ai/grok-4.7:online"]
  return [...prices.models(), ...online].map((model) => prices.findRow(model)!)
}

/** A row whose dated price begins after the first instant has none before. */
function instant(random: Random, row: PriceRow): number {
  const begins = Math.min(...row.sheets.filter((sheet) => !sheet.boundOnly).map((sheet) => sheet.fromMs ?? START_MS))
  const start = Math.max(START_MS, begins)
  return start + random.upTo(END_MS - start)
}

describe(`${CASES} random calls over all rows`, () => {
  it("cost what the rational oracle says, to the nano and to the pico", { timeout: 600_000 }, () => {
    const random = new Random(4)
    const rows = everyRow()
    const wrong: unknown[] = []
    for (let index = 0; index < CASES; index++) {
      const row = rows[index % rows.length]!
      const usage = randomUsage(random, row)
      const serviceTier = random.pick(SERVICE_TIERS)
      const at = instant(random, row)
      const expected = oraclePico(row, usage, serviceTier, at)
      const cost = prices.costOf(row.model, usage, { serviceTier, at })
      if (cost.picoUsd !== expected || BigInt(cost.nanoUsd) !== ceilNano(expected))
        wrong.push({ model: row.model, usage, serviceTier, at, pico: cost.picoUsd, nano: cost.nanoUsd, expected })
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
      const serviceTier = random.pick(SERVICE_TIERS)
      const at = instant(random, row)
      const cost = prices.costOf(row.model, usage, { serviceTier, at })
      const opened = random.chance(0.5)
      const bound = prices.upperBound(row.model, {
        inputTokens: usage.inputTokens,
        maxOutputTokens: usage.outputTokens,
        webSearches: usage.webSearches,
        // Sent and known, or neither; a window around the instant, or everything from a moment before it.
        serviceTier: opened ? undefined : serviceTier,
        at: at - random.upTo(60_000),
        deadline: random.chance(0.5) ? at + random.upTo(600_000) : undefined,
      })
      if (cost.nanoUsd > bound.nanoUsd || cost.picoUsd > bound.picoUsd)
        over.push({ model: row.model, usage, serviceTier, at, cost: cost.nanoUsd, bound: bound.nanoUsd })
      if (cost.nanoUsd === bound.nanoUsd) tight++
    }
    expect(over.slice(0, 3)).toEqual([])
    // A bound that is never reached would be no maximum.
    expect(tight).toBeGreaterThan(CASES / 100)
  })
})
