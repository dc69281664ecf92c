import { afterAll, beforeAll, describe, expect, test } from "vitest"
// @ts-expect-error plain JavaScript, shared with bench/hostile.mjs
import { HOSTILE_STRINGS } from "../scripts/hostile-strings.mjs"
import {
  countRequestTokens,
  countTokens,
  createTokenCounter,
  type EncodingName,
  encode,
  estimateTokens,
  isWithinTokenLimit,
  splitByTokens,
  truncateToTokens,
} from "../src/index"
import { Vocabulary } from "../src/tokenizer/vocabulary"

/**
 * Counts searches of the vocabulary, which hostile text makes expensive. Unlike times, their number does not depend on
 * the machine.
 */
let searches = 0
const { find, longestAt, shorter } = Vocabulary.prototype
beforeAll(() => {
  Vocabulary.prototype.find = function (...args) {
    searches++
    return find.apply(this, args)
  }
  Vocabulary.prototype.longestAt = function (...args) {
    searches++
    return longestAt.apply(this, args)
  }
  Vocabulary.prototype.shorter = function (...args) {
    searches++
    return shorter.apply(this, args)
  }
})
afterAll(() => {
  Object.assign(Vocabulary.prototype, { find, longestAt, shorter })
})

function searchesOf(run: () => unknown): number {
  searches = 0
  run()
  return searches
}

const model = "gpt-4o"
const CALLS: Record<string, (text: string) => unknown> = {
  countTokens: (text) => countTokens(text, { model }),
  "countTokens with special tokens": (text) => countTokens(text, { encoding: "o200k_harmony", allowedSpecial: "all" }),
  encode: (text) => encode(text, { model }),
  isWithinTokenLimit: (text) => isWithinTokenLimit(text, 1e9, { model }),
  truncateToTokens: (text) => truncateToTokens(text, 100, { model }),
  splitByTokens: (text) => splitByTokens(text, { model, maxTokens: 50, overlapTokens: 10 }),
  createTokenCounter: (text) => {
    const counter = createTokenCounter({ model })
    for (let from = 0; from < text.length; from += 100) counter.add(text.slice(from, from + 100))
    return counter.tokens
  },
  estimateTokens: (text) => estimateTokens(text, "claude-sonnet-4-5"),
  "truncateToTokens by upper bound": (text) =>
    truncateToTokens(text, 5000, { model: "claude-sonnet-4-5", countBy: "upperBound" }),
  "splitByTokens by estimate": (text) => splitByTokens(text, { model: "claude-sonnet-4-5", maxTokens: 50 }),
  countRequestTokens: (text) => countRequestTokens({ model, messages: [{ role: "user", content: text }] }),
}

describe.each(Object.entries(HOSTILE_STRINGS as Record<string, (bytes: number) => string>))("%s", (_, textOf) => {
  test.each(Object.entries(CALLS))("%s searches in proportion to the text", (_, call) => {
    call(textOf(1_000))
    const once = searchesOf(() => call(textOf(20_000)))
    const twice = searchesOf(() => call(textOf(40_000)))
    expect(twice).toBeLessThanOrEqual(2.5 * once + 1_000)
    expect(twice / 40_000).toBeLessThan(20)
  })

  test.each<EncodingName>(["cl100k_base", "p50k_base", "r50k_base"])("%s searches in proportion too", (encoding) => {
    countTokens(textOf(1_000), { encoding })
    const once = searchesOf(() => countTokens(textOf(20_000), { encoding }))
    const twice = searchesOf(() => countTokens(textOf(40_000), { encoding }))
    expect(twice).toBeLessThanOrEqual(2.5 * once + 1_000)
    expect(twice / 40_000).toBeLessThan(20)
  })
})
