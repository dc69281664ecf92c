import { checkOptions } from "@p2/core"
import { countSource, type TextSource } from "../text/count-source"
import { checkTokenNumber, countWithSpecialTokens } from "../text/count-text"
import { type SplitOptions, splitText, truncateText } from "../text/cut-text"
import { decodeTokens, encodeText } from "../text/encode-text"
import type { SpecialTokenOptions } from "../text/special-tokens"
import { exactMeasure } from "../text/text-measure"
import type { TokenCounter } from "../text/token-counter"
import type { Encoding } from "./encoding"

/** The functions of the root entry for one encoding, without the option that names it. */
export interface BoundEncoding {
  /** Returns the number of tokens in a string. */
  countTokens(text: string, options?: SpecialTokenOptions): number
  /** Counts text of any size. @throws AbortedError when `signal` fires */
  countTokensAsync(source: TextSource, options?: { signal?: AbortSignal | undefined }): Promise<number>
  /** Encodes a string. */
  encode(text: string, options?: SpecialTokenOptions): number[]
  /** Decodes tokens; bytes that are not UTF-8 become U+FFFD. */
  decode(tokens: Iterable<number>): string
  /** Returns whether a string has at most `maxTokens` tokens; stops counting when it has more. */
  isWithinTokenLimit(text: string, maxTokens: number, options?: SpecialTokenOptions): boolean
  /** Returns the longest prefix with at most `maxTokens` tokens; never splits a code point. */
  truncateToTokens(text: string, maxTokens: number): string
  /** Splits a string into parts of at most `maxTokens` tokens. */
  splitByTokens(text: string, options: SplitOptions): string[]
  /** Creates a counter for text that arrives in pieces. */
  createTokenCounter(): TokenCounter
}

const ENTRY_HAS_ONE = "This entry point has a fixed encoding; use `@p2/tokens` to choose one."
const ADVICE = { model: ENTRY_HAS_ONE, encoding: ENTRY_HAS_ONE, overlap: "Did you mean `overlapTokens`?" }
const SPECIAL_OPTIONS: ReadonlySet<string> = new Set(["allowedSpecial"])
const SOURCE_OPTIONS: ReadonlySet<string> = new Set(["signal"])
const SPLIT_OPTIONS: ReadonlySet<string> = new Set(["maxTokens", "overlapTokens"])

function check(options: object | undefined, names: ReadonlySet<string>): void {
  if (options !== undefined) checkOptions(options, names, "options", ADVICE)
}

/** Binds every function to one encoding. */
export function bindEncoding(encoding: Encoding): BoundEncoding {
  const measure = exactMeasure(encoding)
  return {
    countTokens(text, options) {
      check(options, SPECIAL_OPTIONS)
      return countWithSpecialTokens(encoding, text, options)
    },
    async countTokensAsync(source, options) {
      check(options, SOURCE_OPTIONS)
      return countSource(measure.createCounter(), source, options)
    },
    encode(text, options) {
      check(options, SPECIAL_OPTIONS)
      return encodeText(encoding, text, options)
    },
    decode: (tokens) => decodeTokens(encoding, tokens),
    isWithinTokenLimit(text, maxTokens, options) {
      checkTokenNumber("maxTokens", maxTokens, 0)
      check(options, SPECIAL_OPTIONS)
      return countWithSpecialTokens(encoding, text, options, maxTokens) <= maxTokens
    },
    truncateToTokens: (text, maxTokens) => truncateText(measure, text, maxTokens),
    splitByTokens(text, options) {
      check(options, SPLIT_OPTIONS)
      return splitText(measure, text, options)
    },
    createTokenCounter: () => measure.createCounter(),
  }
}
