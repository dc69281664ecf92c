import { get_encoding, type TiktokenEncoding } from "tiktoken"
import { expect, test } from "vitest"
// @ts-expect-error plain JavaScript, shared with scripts/fuzz.mjs
import { fuzzString, randomOf } from "../scripts/fuzz-strings.mjs"
import { encoding as cl100k } from "../src/cl100k_base"
import { countTokens, decode, type Encoding, encode } from "../src/index"
import { encoding as o200k } from "../src/o200k_base"
import { encoding as p50k } from "../src/p50k_base"
import { encoding as r50k } from "../src/r50k_base"

/** Random strings of a seed have the tokens of tiktoken. */
export function testAgainstTiktoken(options: { strings: number; seed: number }): void {
  test.each<Encoding>([o200k, cl100k, p50k, r50k])(
    "$name equals tiktoken",
    (encoding) => {
      const reference = get_encoding(encoding.name as TiktokenEncoding)
      const random = randomOf(options.seed)
      for (let index = 0; index < options.strings; index++) {
        const text: string = fuzzString(random)
        const tokens = encode(text, { encoding })
        const expected = reference.encode_ordinary(text)
        const count = countTokens(text, { encoding })
        const isSame =
          count === expected.length && tokens.length === count && expected.every((t, at) => t === tokens[at])
        if (!isSame)
          expect({ index, text: JSON.stringify(text), count, tokens }).toEqual({
            index,
            text: JSON.stringify(text),
            count: expected.length,
            tokens: [...expected],
          })
        const wellFormed = new TextDecoder("utf-8", { ignoreBOM: true }).decode(new TextEncoder().encode(text))
        if (decode(tokens, { encoding }) !== wellFormed) expect(decode(tokens, { encoding })).toBe(wellFormed)
      }
      reference.free()
    },
    300_000,
  )
}
