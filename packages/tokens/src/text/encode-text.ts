import { InvalidArgumentError } from "@p2/core"
import { type Encoding, tokenizerOf } from "../encodings/encoding"
import { checkText, checkTokenNumber } from "./count-text"
import { type SpecialTokenOptions, splitAtSpecialTokens } from "./special-tokens"
import { forEachBlock } from "./utf8-blocks"

/** Encodes a string. */
export function encodeText(encoding: Encoding, text: string, options?: SpecialTokenOptions): number[] {
  checkText(text)
  const tokenizer = tokenizerOf(encoding)
  const tokens: number[] = []
  for (const part of splitAtSpecialTokens(encoding, text, options)) {
    if (part.rank !== undefined) tokens.push(part.rank)
    else
      forEachBlock(tokenizer, part.text, (bytes, view, end) => {
        tokenizer.encode(bytes, view, 0, end, tokens)
        return true
      })
  }
  return tokens
}

/** Decodes tokens; bytes that are not UTF-8 become U+FFFD. */
export function decodeTokens(encoding: Encoding, tokens: Iterable<number>): string {
  if (typeof tokens?.[Symbol.iterator] !== "function" || typeof tokens === "string")
    throw new InvalidArgumentError("tokens", "an array of tokens", tokens)
  const { vocabulary } = tokenizerOf(encoding)
  const parts: Uint8Array[] = []
  let length = 0
  let specialTokens: Map<number, string> | undefined
  for (const token of tokens) {
    checkTokenNumber("tokens[]", token, 0)
    let part = token < vocabulary.size ? vocabulary.bytesOf(token) : undefined
    if (part === undefined || part.length === 0) {
      specialTokens ??= new Map([...encoding.specialTokens].reverse().map(([name, rank]) => [rank, name]))
      const name = specialTokens.get(token)
      if (name === undefined) throw new InvalidArgumentError("tokens[]", `a token of ${encoding.name}`, token)
      part = new TextEncoder().encode(name)
    }
    parts.push(part)
    length += part.length
  }
  const bytes = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)
}
