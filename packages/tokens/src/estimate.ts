import { InvalidArgumentError } from "@p2/core"
import { o200kBase } from "./encodings/o200k"
import { countOrdinary } from "./operations"

/** A number of tokens that is not known exactly. */
export interface TokenEstimate {
  /** What it will probably be. */
  tokens: number
  /** What it can be at most. */
  upperBound: number
  /** How both were found. */
  basis: string
}

/** Estimates the tokens of a text for a model without a public tokenizer. */
export function estimateTokens(text: string, model: string): TokenEstimate {
  if (typeof text !== "string") throw new InvalidArgumentError("text", "a string", text)
  if (typeof model !== "string") throw new InvalidArgumentError("model", "a model id", model)
  const tokens = Math.ceil(countOrdinary(o200kBase, text) * 1.15)
  return { tokens, upperBound: utf8Length(text) + 8, basis: "o200k_base × 1.15; bound: UTF-8 bytes" }
}

/** Bytes of a text in UTF-8, lone surrogates as U+FFFD. */
export function utf8Length(text: string): number {
  let length = text.length
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit < 0x80) continue
    if (unit < 0x800) length += 1
    else if ((unit & 0xfc00) === 0xd800 && (text.charCodeAt(index + 1) & 0xfc00) === 0xdc00) {
      length += 2
      index++
    } else length += 2
  }
  return length
}
