import { type Encoding, tokenizerOf } from "../encodings/encoding"
import { countText } from "./count-text"
import { type CountBasis, createExactCounter, type TokenCounter } from "./token-counter"

/** Counts tokens, and weighs them so that text can be truncated at a limit. */
export interface TextMeasure {
  readonly basis: CountBasis
  /** Text is split between tokens of this encoding. */
  readonly encoding: Encoding
  /** Tokens that are counted even for an empty string. */
  readonly addedTokens: number
  /** Returns the number of tokens. May stop above `max`, and then returns some number above it. */
  count(text: string, max?: number): number
  /** Returns about how many tokens the model has for one token of `encoding`, from `from` to `to`; at least 1. */
  weigh(text: string, from: number, to: number): number
  createCounter(): TokenCounter
}

/** Counts exactly, with an encoding. */
export function exactMeasure(encoding: Encoding): TextMeasure {
  return {
    basis: "exact",
    encoding,
    addedTokens: 0,
    count: (text, max) => countText(encoding, text, max),
    weigh: () => 1,
    createCounter: () => createExactCounter(tokenizerOf(encoding)),
  }
}
