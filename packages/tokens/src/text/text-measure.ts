import { type Encoding, tokenizerOf } from "../encodings/encoding"
import { countText } from "./count-text"
import { type CountBasis, createExactCounter, type TokenCounter } from "./token-counter"

/** A way to count tokens, and to find places to cut a text at. */
export interface TextMeasure {
  readonly basis: CountBasis
  /** Texts are cut between tokens of this encoding. */
  readonly encoding: Encoding
  /** Tokens that every text has, however short it is. */
  readonly addedTokens: number
  /** Number of tokens. Stops when there are more than `most`, and then returns any number above it. */
  count(text: string, most?: number): number
  /** About how many tokens one token of `encoding` is, which is `text` from `from` to `to`; at least 1. */
  weigh(text: string, from: number, to: number): number
  createCounter(): TokenCounter
}

/** Counts exactly. */
export function exactMeasure(encoding: Encoding): TextMeasure {
  return {
    basis: "exact",
    encoding,
    addedTokens: 0,
    count: (text, most) => countText(encoding, text, most),
    weigh: () => 1,
    createCounter: () => createExactCounter(tokenizerOf(encoding)),
  }
}
