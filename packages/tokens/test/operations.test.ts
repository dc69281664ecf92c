import fc from "fast-check"
import { describe, expect, test } from "vitest"
// @ts-expect-error plain JavaScript, shared with scripts/fuzz.mjs
import { fuzzString, randomOf } from "../scripts/fuzz-strings.mjs"
import * as bound from "../src/cl100k_base"
import { tokenizerOf } from "../src/encodings/encoding"
import {
  countTokens,
  countTokensAsync,
  createTokenCounter,
  type Encoding,
  encode,
  estimateTokens,
  isWithinTokenLimit,
  splitByTokens,
  truncateToTokens,
} from "../src/index"
import { encoding as o200k } from "../src/o200k_base"
import { encoding as p50k } from "../src/p50k_base"
import { BLOCK_CHARS } from "../src/text/utf8-blocks"
import { BacktrackingMatcher } from "../src/tokenizer/match"
import type { Vocabulary } from "../src/tokenizer/vocabulary"

const seeds = fc.integer()
const texts = seeds.map((seed) => {
  const random = randomOf(seed)
  let text = ""
  for (let index = 0; index < 1 + (random() % 8); index++) text += fuzzString(random)
  return text
})
const encodings = fc.constantFrom<Encoding>(o200k, bound.encoding, p50k)

describe("createTokenCounter", () => {
  test("gives the count of the whole, wherever the text is cut", () => {
    fc.assert(
      fc.property(texts, seeds, encodings, (text, seed, encoding) => {
        const random = randomOf(seed)
        const counter = createTokenCounter({ encoding })
        let seen = ""
        for (let from = 0; from < text.length; ) {
          const to = from + 1 + (random() % 9)
          counter.add(text.slice(from, to))
          seen += text.slice(from, to)
          from = to
          if (random() % 3 === 0) expect(counter.tokens).toBe(countTokens(seen, { encoding }))
        }
        expect(counter.tokens).toBe(countTokens(text, { encoding }))
        counter.reset()
        expect(counter.tokens).toBe(0)
      }),
      { numRuns: 500 },
    )
  })
})

test("a long text has the same count in blocks as in one pass", () => {
  const random = randomOf(5)
  let text = ""
  while (text.length < BLOCK_CHARS * 3) text += fuzzString(random)
  expect(countTokens(text, { encoding: o200k })).toBe(encode(text, { encoding: o200k }).length)
  const tokenizer = tokenizerOf(o200k)
  const bytes = new Uint8Array(text.length * 3 + 16)
  const { written } = new TextEncoder().encodeInto(text, bytes)
  const atOnce = tokenizer.count(bytes, new DataView(bytes.buffer), 0, written, Number.POSITIVE_INFINITY)
  expect(countTokens(text, { encoding: o200k })).toBe(atOnce)
})

/** Byte pair encoding by its definition, as simply as possible. */
function mergeByDefinition(vocabulary: Vocabulary, bytes: Uint8Array): number[] {
  const rankOf = (part: Uint8Array) => {
    const padded = new Uint8Array(part.length + 16)
    padded.set(part)
    return vocabulary.find(new DataView(padded.buffer), 0, part.length)
  }
  let parts = Array.from(bytes, (_, index) => bytes.subarray(index, index + 1))
  for (;;) {
    const joined = parts.slice(1).map((part, index) => {
      const pair = new Uint8Array([...parts[index]!, ...part])
      return { pair, rank: rankOf(pair), index }
    })
    const [lowest] = joined.filter(({ rank }) => rank !== -1).sort((a, b) => a.rank - b.rank || a.index - b.index)
    if (lowest === undefined) return parts.map(rankOf)
    parts = [...parts.slice(0, lowest.index), lowest.pair, ...parts.slice(lowest.index + 2)]
  }
}

test.each<Encoding>([o200k, bound.encoding, p50k])("$name: matching gives the same tokens as merging", (encoding) => {
  const { vocabulary } = tokenizerOf(encoding)
  const matcher = new BacktrackingMatcher(vocabulary)
  // Runs of one character have long tokens, and are the only text for which matching often backtracks.
  const runs = fc
    .tuple(fc.constantFrom(" ", "-", "=", "#", "*", "/", "\n", "\t", "ab", "é"), fc.nat(140), fc.string())
    .map(([unit, count, end]) => unit.repeat(count) + end)
  fc.assert(
    fc.property(fc.oneof(texts, runs, fc.string({ minLength: 1, maxLength: 100 })), (text) => {
      const bytes = new TextEncoder().encode(text || "a").subarray(0, 200)
      const view = new DataView(new ArrayBuffer(bytes.length + 16))
      new Uint8Array(view.buffer).set(bytes)
      const matched: number[] = []
      matcher.match(view, 0, bytes.length, matched)
      expect(matched).toEqual(mergeByDefinition(vocabulary, bytes))
    }),
    { numRuns: 150 },
  )
})

describe("truncateToTokens", () => {
  test("fits, is a prefix, and splits no code point", () => {
    fc.assert(
      fc.property(texts, fc.nat(20), encodings, (text, most, encoding) => {
        const cut = truncateToTokens(text, most, { encoding })
        expect(text.startsWith(cut)).toBe(true)
        expect(countTokens(cut, { encoding })).toBeLessThanOrEqual(most)
        const last = cut.charCodeAt(cut.length - 1)
        const next = text.charCodeAt(cut.length)
        expect((last & 0xfc00) === 0xd800 && (next & 0xfc00) === 0xdc00).toBe(false)
        if (countTokens(text, { encoding }) <= most) expect(cut).toBe(text)
      }),
      { numRuns: 500 },
    )
  })

  test("keeps as many tokens as fit", () => {
    expect(truncateToTokens("one two three four", 2, { encoding: "o200k_base" })).toBe("one two")
    expect(truncateToTokens("one", 0, { encoding: "o200k_base" })).toBe("")
  })
})

describe("splitByTokens", () => {
  test("parts fit and are the text when joined", () => {
    fc.assert(
      fc.property(texts, fc.integer({ min: 4, max: 20 }), encodings, (text, maxTokens, encoding) => {
        const parts = splitByTokens(text, { encoding, maxTokens })
        expect(parts.join("")).toBe(text)
        for (const part of parts)
          if ([...part].length > 1) expect(countTokens(part, { encoding })).toBeLessThanOrEqual(maxTokens)
      }),
      { numRuns: 300 },
    )
  })

  test("parts overlap", () => {
    expect(
      splitByTokens("one two three four five six", { encoding: "o200k_base", maxTokens: 3, overlapTokens: 1 }),
    ).toEqual(["one two three", " three four five", " five six"])
    expect(() => splitByTokens("a", { encoding: "o200k_base", maxTokens: 2, overlapTokens: 2 })).toThrow(
      /overlapTokens/,
    )
  })
})

test("isWithinTokenLimit stops early", () => {
  const text = "word ".repeat(1000)
  expect(isWithinTokenLimit(text, 5000, { model: "gpt-4o" })).toBe(true)
  expect(isWithinTokenLimit(text, 999, { model: "gpt-4o" })).toBe(false)
})

describe("countTokensAsync", () => {
  test("counts pieces of any source as one text", async () => {
    async function* pieces() {
      for (let index = 0; index < 400; index++) yield "some text, 😀 and mo"
    }
    const whole = "some text, 😀 and mo".repeat(400)
    expect(await countTokensAsync(pieces(), { encoding: "o200k_base" })).toBe(bound2(whole))
    expect(await countTokensAsync(whole, { model: "gpt-4o" })).toBe(bound2(whole))
  })

  test("can be aborted while it counts", async () => {
    const controller = new AbortController()
    let given = 0
    function* endless() {
      for (;;) {
        if (++given === 40) controller.abort(new Error("enough"))
        yield "text that goes on ".repeat(10_000)
      }
    }
    await expect(
      countTokensAsync(endless(), { encoding: "cl100k_base", signal: controller.signal }),
    ).rejects.toMatchObject({
      code: "aborted",
    })
    expect(given).toBeLessThan(60)
  })
})

const bound2 = (text: string) => countTokens(text, { encoding: "o200k_base" })

test("a sub-path has the same functions for one encoding", () => {
  expect(bound.countTokens("Hello world")).toBe(countTokens("Hello world", { encoding: "cl100k_base" }))
  expect(bound.decode(bound.encode("Hello\ufeff world"))).toBe("Hello\ufeff world")
  expect(bound.splitByTokens("one two", { maxTokens: 1 })).toEqual(["one", " two"])
})

test("usage errors name the argument", () => {
  expect(() => countTokens(1 as unknown as string, { model: "gpt-4o" })).toThrow(/`text`/)
  expect(() => countTokens("a", {} as { model: string })).toThrow(/`options`/)
  expect(() => countTokens("a", { encoding: "p50k" as "p50k_base" })).toThrow(/`encoding`.*"p50k_base"/)
  expect(() => encode("a", { model: "anthropic/claude-sonnet-4-5" })).toThrow(
    expect.objectContaining({ code: "no-public-tokenizer" }),
  )
  expect(() => bound.decode([100_256])).toThrow(/tokens\[\]/)
})

test("an estimate is above zero and below its bound", () => {
  fc.assert(
    fc.property(texts, (text) => {
      const { tokens, upperBound } = estimateTokens(text, "anthropic/claude-sonnet-4-5")
      expect(tokens).toBeLessThanOrEqual(upperBound)
      expect(upperBound).toBeGreaterThanOrEqual(new TextEncoder().encode(text).length)
    }),
  )
})
