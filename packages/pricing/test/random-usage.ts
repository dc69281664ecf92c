import type { Usage } from "@p2/core"
import type { RateKind } from "../src/index"
import type { PriceRow } from "../src/table/price-row"

/** A small seeded random number generator (mulberry32), so that failures are reproducible. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed
  }

  /** In [0, 1). */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }

  /** An integer from 0 to `max`. */
  upTo(max: number): number {
    return Math.floor(this.fraction() * (max + 1))
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.upTo(items.length - 1)]!
  }

  /** Returns true with this probability. */
  chance(probability: number): boolean {
    return this.fraction() < probability
  }
}

/** A possible usage for a row: sizes over eight powers of ten, and often right at a context tier. */
export function randomUsage(random: Random, row: PriceRow): Usage {
  const starts = row.sheets.flatMap((sheet) => sheet.tiers.map((tier) => tier.fromInputTokens))
  const near = random.chance(0.3) ? random.pick(starts) + random.upTo(2) - 1 : Math.floor(10 ** (random.fraction() * 8))
  // A kind without a rate that no other kind contains is an error, which has its own tests.
  const isPriced = (kind: RateKind) =>
    row.sheets.every((sheet) => sheet.tiers.every((tier) => tier.rates[kind] !== undefined))
  const usage: Usage = { inputTokens: 0, outputTokens: 0 }
  let isBilledInstead = false
  for (const [kind, field] of BILLED_INSTEAD)
    if (isPriced(kind)) {
      usage[field] = random.upTo(10_000)
      isBilledInstead = true
    }
  if (isBilledInstead) return usage
  usage.inputTokens = Math.max(0, near)
  usage.outputTokens = Math.floor(10 ** (random.fraction() * 7)) - 1
  share(random, usage.inputTokens, ["cacheReadTokens", "cacheWriteTokens", "cacheWrite1hTokens"], usage)
  const input: Part[] = isPriced("audioInput") ? ["audioInputTokens", "imageInputTokens"] : ["imageInputTokens"]
  share(random, usage.inputTokens, input, usage)
  const output: Part[] = ["reasoningTokens"]
  if (isPriced("audioOutput")) output.push("audioOutputTokens")
  if (isPriced("imageOutput")) output.push("imageOutputTokens")
  share(random, usage.outputTokens, output, usage)
  if (isPriced("search") && random.chance(0.5)) usage.webSearches = random.upTo(5)
  if (isPriced("fileSearch") && random.chance(0.5)) usage.fileSearches = random.upTo(5)
  if (isPriced("codeSession") && random.chance(0.5)) usage.codeInterpreterSessions = random.upTo(3)
  return usage
}

const BILLED_INSTEAD = [
  ["image", "outputImages"],
  ["second", "audioSeconds"],
  ["character", "inputCharacters"],
] as const

type Part = Exclude<keyof Usage, "raw" | "assumptions" | "serviceTier" | "region">

function share(random: Random, total: number, parts: readonly Part[], usage: Usage): void {
  let rest = total
  for (const part of parts) {
    if (random.chance(0.5)) continue
    usage[part] = random.chance(0.2) ? rest : random.upTo(rest)
    rest -= usage[part]!
  }
}
