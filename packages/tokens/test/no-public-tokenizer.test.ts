import fc from "fast-check"
import { describe, expect, test } from "vitest"
// @ts-expect-error plain JavaScript, shared with scripts/fuzz.mjs
import { fuzzString, randomOf } from "../scripts/fuzz-strings.mjs"
import {
  countTokens,
  countTokensAsync,
  createTokenCounter,
  encode,
  estimateTokens,
  isWithinTokenLimit,
  NoPublicTokenizerError,
  splitByTokens,
  truncateToTokens,
} from "../src/index"

const MODELS = [
  "anthropic/claude-sonnet-4-5",
  "google/gemini-2.5-pro",
  "qwen/qwen3-32b",
  "some-lab/some-model",
] as const
const models = fc.constantFrom(...MODELS)
const bases = fc.constantFrom("estimate" as const, "upperBound" as const)
const texts = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 200 }),
  fc.integer().map((seed) => {
    const random = randomOf(seed)
    let text = ""
    for (let index = 0; index < 1 + (random() % 8); index++) text += fuzzString(random)
    return text
  }),
)

describe("a model without a public tokenizer", () => {
  test("is counted by estimate, or by upper bound if chosen", () => {
    fc.assert(
      fc.property(texts, models, (text, model) => {
        const { tokens, upperBound } = estimateTokens(text, model)
        expect(countTokens(text, { model })).toBe(tokens)
        expect(countTokens(text, { model, countBy: "estimate" })).toBe(tokens)
        expect(countTokens(text, { model, countBy: "upperBound" })).toBe(upperBound)
        expect(tokens).toBeLessThanOrEqual(upperBound)
      }),
    )
  })

  test("is truncated to a prefix that fits, and is nearly as long as possible", () => {
    fc.assert(
      fc.property(texts, models, bases, fc.nat(60), (text, model, countBy, maxTokens) => {
        const cut = truncateToTokens(text, maxTokens, { model, countBy })
        expect(text.startsWith(cut)).toBe(true)
        if (cut !== "") expect(countTokens(cut, { model, countBy })).toBeLessThanOrEqual(maxTokens)
        if (countTokens(text, { model, countBy }) <= maxTokens) expect(cut).toBe(text)
      }),
      { numRuns: 300 },
    )
    const english = "The quick brown fox jumps over the lazy dog. ".repeat(200)
    for (const model of MODELS)
      for (const countBy of ["estimate", "upperBound"] as const)
        expect(countTokens(truncateToTokens(english, 1000, { model, countBy }), { model, countBy })).toBeGreaterThan(
          980,
        )
  })

  test("is split into parts that fit and are the text when joined", () => {
    fc.assert(
      fc.property(texts, models, bases, fc.integer({ min: 20, max: 60 }), (text, model, countBy, maxTokens) => {
        const parts = splitByTokens(text, { model, countBy, maxTokens })
        expect(parts.join("")).toBe(text)
        for (const part of parts)
          if ([...part].length > 1) expect(countTokens(part, { model, countBy })).toBeLessThanOrEqual(maxTokens)
      }),
      { numRuns: 300 },
    )
  })

  test("a combining mark whose surrogate pair is cut counts as in the whole text", () => {
    const text = "á\u{e0100}"
    const model = "anthropic/claude-sonnet-4.5"
    const counter = createTokenCounter({ model, countBy: "upperBound" })
    for (const unit of text.split("")) counter.add(unit)
    expect(counter.tokens).toBe(countTokens(text, { model, countBy: "upperBound" }))
  })

  test("is counted piece by piece as the whole would be, and the counter names its basis", async () => {
    const seeds = fc.integer()
    await fc.assert(
      fc.asyncProperty(texts, models, bases, seeds, async (text, model, countBy, seed) => {
        const random = randomOf(seed)
        const counter = createTokenCounter({ model, countBy })
        expect(counter.basis).toBe(countBy)
        const pieces: string[] = []
        for (let from = 0; from < text.length; ) {
          const to = from + 1 + (random() % 9)
          pieces.push(text.slice(from, to))
          from = to
        }
        for (const piece of pieces) counter.add(piece)
        const expected = countTokens(text, { model, countBy })
        expect(counter.tokens).toBe(expected)
        expect(await countTokensAsync(pieces, { model, countBy })).toBe(expected)
        counter.reset()
        expect(counter.tokens).toBe(countTokens("", { model, countBy }))
      }),
      { numRuns: 300 },
    )
    expect(createTokenCounter({ model: "gpt-4o", countBy: "upperBound" }).basis).toBe("exact")
  })

  test("is within a limit as it is counted", () => {
    const text = "a few words ".repeat(50)
    const model = MODELS[0]
    const bound = countTokens(text, { model, countBy: "upperBound" })
    expect(isWithinTokenLimit(text, bound, { model, countBy: "upperBound" })).toBe(true)
    expect(isWithinTokenLimit(text, bound - 1, { model, countBy: "upperBound" })).toBe(false)
    expect(isWithinTokenLimit(text, bound - 1, { model })).toBe(true)
  })

  test("has no known tokens, so that encoding is an error with a remedy", () => {
    for (const call of [
      () => encode("a", { model: MODELS[0] }),
      () => countTokens("a", { model: MODELS[0], allowedSpecial: "all" }),
    ]) {
      expect(call).toThrow(expect.objectContaining({ code: "no-public-tokenizer", kind: "usage", model: MODELS[0] }))
      try {
        call()
      } catch (error) {
        expect(NoPublicTokenizerError.isInstance(error)).toBe(true)
      }
    }
  })
})
