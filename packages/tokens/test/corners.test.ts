import { get_encoding, type TiktokenEncoding } from "tiktoken"
import { afterAll, describe, expect, test } from "vitest"
import { encoding as cl100k } from "../src/cl100k_base"
import { tokenizerOf } from "../src/encodings/encoding"
import { countTokens, decode, type Encoding, encode } from "../src/index"
import { encoding as o200k } from "../src/o200k_base"
import { encoding as harmony } from "../src/o200k_harmony"
import { encoding as p50k } from "../src/p50k_base"
import { encoding as r50k } from "../src/r50k_base"
import { FOUR_BYTES, mergeBytes } from "../src/tokenizer/match"

const ENCODINGS = [o200k, cl100k, p50k, r50k]
const references = new Map(ENCODINGS.map(({ name }) => [name, get_encoding(name as TiktokenEncoding)]))
afterAll(() => {
  for (const reference of references.values()) reference.free()
})

const CORNERS: [string, string][] = [
  ["U+FEFF is not white space", "a\ufeff b\ufeff\ufeff \ufeff"],
  ["U+0085 is white space", "a\u0085\u0085b \u0085c"],
  ["U+180E and U+200B are not white space", "a \u180e b \u200b c"],
  ["a long s ends a contraction", "It'ſ we'ſx 'ſ 'Ss 'LLama"],
  ["contractions in every case", "I'm I'M I'Ll I'lL DON'T y'all've 'tis 'REally"],
  ["new letters of Unicode 16", "\u{1c89}\u{1c8a} \u{a7cb}\u{a7da} \u{105c0}a \u{16d40}"],
  ["lone surrogates", "a\ud800b\udc00\ud800 \udfff\ud83d"],
  ["upper-case and lower-case runs that backtrack", "中文ABC ABC中 ǅabc ʰABC ABCʰd A\u0301BC \u0301ABC"],
  ["marks as prefix and in runs", "!\u0301a \u0301\u0301 1\u0301a \u0301 "],
  ["spaces before newlines and at the end", "a  \n  b \n\n c   "],
  ["slashes and newlines after signs", "!/\n/\r\n/a //\n\n//"],
  ["digits of other scripts", "१२३४५ ٣٤٥ Ⅷ½² 1234567"],
  ["special tokens are text", "<|endoftext|><|endofprompt|> <|im_start|>"],
  ["the empty text", ""],
  [
    "words of every case and length, before every sign",
    "a aB Ab AB ABc aBC _a -A 'a ’a abcdefg abcdefgh  abcdefghi\na\tb~z@z`z{a}z[ z",
  ],
  [
    "words that end at digits, letters beyond ASCII and apostrophes",
    "ab1 abé aé Aé abA' ab's aB's A'S don't\u0301 a\u0301",
  ],
  ["digits that end at digits of other scripts", "1२ 12२ 123२ 1234२५"],
  ["NUL", "\u0000\u0000a\u0000"],
  ["variation selectors of plane 14", "a\u{e0100}b\u{e01ef} \u{e0001}"],
]

describe.each<Encoding>(ENCODINGS)("$name", (encoding) => {
  test.each(CORNERS)("%s", (_, text) => {
    const expected = [...references.get(encoding.name)!.encode_ordinary(text)]
    expect(encode(text, { encoding })).toEqual(expected)
    expect(countTokens(text, { encoding })).toBe(expected.length)
  })

  const vocabulary = () => tokenizerOf(encoding).vocabulary
  /** The bytes of a token, followed by padding. */
  const viewOf = (bytes: Uint8Array) => {
    const padded = new Uint8Array(bytes.length + 16)
    padded.set(bytes)
    return new DataView(padded.buffer)
  }

  test("finds every token by its bytes, and no token for a rank without one", () => {
    let holes = 0
    for (let rank = 0; rank < vocabulary().size; rank++) {
      const bytes = vocabulary().bytesOf(rank)
      if (bytes.length === 0) holes++
      else if (vocabulary().find(viewOf(bytes), 0, bytes.length) !== rank) expect(rank).toBe("found")
    }
    expect(holes).toBe(encoding.name === "p50k_base" ? 1 : 0)
  })

  test("makes every token of two tokens by merging its bytes", () => {
    for (let rank = 0; rank < vocabulary().size; rank++) {
      const bytes = vocabulary().bytesOf(rank)
      if (bytes.length < 2) continue
      const parts: number[] = []
      mergeBytes(vocabulary(), viewOf(bytes), 0, bytes.length, parts, rank)
      const [left = -1, right = -1] = parts
      if (parts.length !== 2 || left < 0 || right < 0 || left >= rank || right >= rank)
        expect({ rank, parts }).toBe("two tokens of lower ranks")
    }
  })

  test("has no token in which a character of four bytes follows anything but a space", () => {
    for (let rank = 0; rank < vocabulary().size; rank++) {
      const bytes = vocabulary().bytesOf(rank)
      for (let index = 1; index < bytes.length; index++)
        if (bytes[index]! >= FOUR_BYTES && bytes[index - 1] !== 0x20) expect(rank).toBe("cut before the character")
    }
  })

  test("counts allowed special tokens as single tokens", () => {
    const text = "a<|endoftext|>b"
    const tokens = encode(text, { encoding, allowedSpecial: "all" })
    expect(tokens).toEqual([...references.get(encoding.name)!.encode(text, "all")])
    expect(countTokens(text, { encoding, allowedSpecial: ["<|endoftext|>"] })).toBe(tokens.length)
    expect(decode(tokens, { encoding })).toBe(text)
    for (const allowedSpecial of [["<|nothing|>"], "<|endoftext|>"])
      expect(() => encode(text, { encoding, allowedSpecial })).toThrow(/allowedSpecial/)
    const nested = "<|<|endoftext|>|><|end<|endoftext|>"
    expect(encode(nested, { encoding, allowedSpecial: "all" })).toEqual([
      ...references.get(encoding.name)!.encode(nested, "all"),
    ])
  })
})

test.each([o200k, cl100k])("every number of up to three digits is one token of $name", (encoding) => {
  for (let length = 1; length <= 3; length++)
    for (let value = 0; value < 10 ** length; value++) {
      const text = String(value).padStart(length, "0")
      if (encode(text, { encoding }).length !== 1 || countTokens(text, { encoding }) !== 1)
        expect(text).toBe("one token")
    }
})

test("o200k_harmony has o200k_base's ranks and its own special tokens", () => {
  expect(encode("Hello wörld", { encoding: harmony })).toEqual(encode("Hello wörld", { encoding: o200k }))
  expect(encode("<|start|>user<|message|>Hi<|end|>", { encoding: harmony, allowedSpecial: "all" })).toEqual([
    200006, 1428, 200008, 12194, 200007,
  ])
  expect(harmony.specialTokens.size).toBe(1091)
})

/** Every code point next to letters, numbers and symbols, where its class decides the splits; many per text. */
test("classes of all code points are those of tiktoken", () => {
  const reference = references.get("cl100k_base")!
  const ours = encodeWith(cl100k)
  for (let first = 0x80; first < 0x110000; first += 512) {
    let text = ""
    // Planes 4 to 13 and the private planes have no assigned code points, so a sample is enough.
    const step = first < 0x33000 || (first >= 0xe0000 && first < 0xe1000) ? 1 : 37
    for (let codePoint = first; codePoint < Math.min(first + 512, 0x110000); codePoint += step) {
      if (codePoint >= 0xd800 && codePoint < 0xe000) continue
      const character = String.fromCodePoint(codePoint)
      text += `a${character}a 1${character}1 !${character}! `
    }
    const expected = reference.encode_ordinary(text)
    if (ours(text) !== expected.join() || countTokens(text, { encoding: cl100k }) !== expected.length)
      expect(`U+${first.toString(16)} to +511`).toBe("equal")
  }
})

const encodeWith = (encoding: Encoding) => (text: string) => encode(text, { encoding }).join()
