import { readFileSync } from "node:fs"
import { calcPrice, findProvider, type MatchLogic } from "@pydantic/genai-prices"
import { expect, it } from "vitest"
import { publishedPrices as prices } from "../src/table/published-prices"

/** Names of first parties in the other package and in this one. */
const FIRST_PARTIES = {
  openai: "openai",
  anthropic: "anthropic",
  google: "google",
  "x-ai": "xai",
  mistral: "mistral",
  deepseek: "deepseek",
  cohere: "cohere",
  moonshotai: "moonshotai",
  minimax: "minimax",
  zai: "zai",
}
/** A Sunday morning outside every peak hour, after all dated prices of the other package. */
const AT = new Date("2026-11-22T12:00:00Z")
const USAGES = [
  { inputTokens: 1_000_000, outputTokens: 0 },
  { inputTokens: 0, outputTokens: 1_000_000 },
  { inputTokens: 100_000, outputTokens: 1_000, cacheReadTokens: 50_000 },
  { inputTokens: 100_000, outputTokens: 1_000, cacheWriteTokens: 50_000 },
  { inputTokens: 10_000, outputTokens: 1_000 },
]

function exactNames(match: MatchLogic): string[] {
  if ("equals" in match) return [match.equals]
  return "or" in match ? match.or.flatMap(exactNames) : []
}

it("equals @pydantic/genai-prices for first parties, except for the lines of disagreements.md", () => {
  const report = readFileSync(new URL("../disagreements.md", import.meta.url), "utf8")
  const disputed = new Set([...report.matchAll(/^\| `([^`]+)`/gm)].map((match) => match[1]!))
  const differing: unknown[] = []
  let compared = 0
  for (const [theirs, ours] of Object.entries(FIRST_PARTIES)) {
    const provider = findProvider({ providerId: theirs })!
    for (const name of new Set(provider.models.flatMap((model) => exactNames(model.match)))) {
      const key = `${ours}/${name}`
      const row = prices.findRow(key)
      if (row?.model !== key || disputed.has(key)) continue
      // Billed per second, which the other package does not compute from tokens.
      if (row.sheets[0]!.tiers[0]!.rates.second !== undefined) continue
      for (const usage of USAGES) {
        const other = calcPrice(
          {
            input_tokens: usage.inputTokens,
            output_tokens: usage.outputTokens,
            cache_read_tokens: usage.cacheReadTokens,
            cache_write_tokens: usage.cacheWriteTokens,
          },
          name,
          { provider, timestamp: AT },
        )
        if (other === null) continue
        compared++
        const usd = prices.costOf(key, usage, { at: AT }).nanoUsd / 1e9
        // This package rounds up to nano-USD, the other one returns floats.
        if (Math.abs(usd - other.total_price) > 2e-9 + other.total_price * 1e-9)
          differing.push({ key, usage, ours: usd, theirs: other.total_price })
      }
    }
  }
  expect(compared).toBeGreaterThan(1_000)
  expect(differing).toEqual([])
})
