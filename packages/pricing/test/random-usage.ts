import type { Usage } from "@p2/core"
import type { PriceRow, RateKind } from "../src/index"

/** A small generator of random numbers with a seed (mulberry32), so that a failure can be repeated. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed
  }

  /** From 0 to 1, without 1. */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }

  /** An integer from 0 to `most`. */
  upTo(most: number): number {
    return Math.floor(this.fraction() * (most + 1))
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.upTo(items.length - 1)]!
  }

  /** Whether something of this probability happened. */
  chance(probability: number): boolean {
    return this.fraction() < probability
  }
}

/** A possible usage of a row: sizes over eight powers of ten, and often right at a context tier. */
export function randomUsage(random: Random, row: PriceRow): Usage {
  const starts = row.sheets.flatMap((sheet) => sheet.tiers.map((tier) => tier.fromInputTokens))
  const near = random.chance(0.3) ? random.pick(starts) + random.upTo(2) - 1 : Math.floor(10 ** (random.fraction() * 8))
  const usage: Usage = { inputTokens: Math.max(0, near), outputTokens: Math.floor(10 ** (random.fraction() * 7)) - 1 }
  share(random, usage.inputTokens, ["cacheReadTokens", "cacheWriteTokens", "cacheWrite1hTokens"], usage)
  // What has no rate of its own and no other kind to be billed as is an error, which has its own tests.
  const priced = (kind: RateKind) =>
    row.sheets.every((sheet) => sheet.tiers.every((tier) => tier.rates[kind] !== undefined))
  const input: Part[] = priced("audioInput") ? ["audioInputTokens", "imageInputTokens"] : ["imageInputTokens"]
  share(random, usage.inputTokens, input, usage)
  const output: Part[] = ["reasoningTokens"]
  if (priced("audioOutput")) output.push("audioOutputTokens")
  if (priced("imageOutput")) output.push("imageOutputTokens")
  share(random, usage.outputTokens, output, usage)
  if (priced("search") && random.chance(0.5)) usage.webSearches = random.upTo(5)
  return usage
}

type Part = Exclude<keyof Usage, "raw">

function share(random: Random, total: number, parts: readonly Part[], usage: Usage): void {
  let left = total
  for (const part of parts) {
    if (random.chance(0.5)) continue
    usage[part] = random.chance(0.2) ? left : random.upTo(left)
    left -= usage[part]!
  }
}
