import { InvalidArgumentError } from "@p2/core"
import type { Encoding } from "./encoding"
import { forEachBlock, utf16Length } from "./internal/utf8-blocks"
import { checkCount, countOrdinary } from "./operations"

/** Where tokens end in a text, in UTF-16 units; a token that ends inside a character ends where the character begins. */
function tokenEnds(encoding: Encoding, text: string, most: number): { ends: number[]; isWhole: boolean } {
  const tokenizer = encoding.tokenizer()
  const { table } = tokenizer
  const ends: number[] = []
  let units = 0
  let isWhole = true
  forEachBlock(tokenizer, text, (bytes, view, end) => {
    let at = 0
    let seen = 0
    const tokens: number[] = []
    while (at < end) {
      if (ends.length >= most) {
        isWhole = false
        return false
      }
      const to = tokenizer.pieceEnd(bytes, at, end)
      tokens.length = 0
      tokenizer.encodePiece(view, at, to, tokens)
      for (const token of tokens) {
        at += table.lengths[token]!
        let cut = at
        while ((bytes[cut]! & 0xc0) === 0x80) cut--
        if (cut > seen) {
          units += utf16Length(bytes, seen, cut)
          seen = cut
        }
        ends.push(units)
      }
    }
    return true
  })
  return { ends, isWhole }
}

/**
 * The longest beginning of the text, in steps of tokens, that has at most `maxTokens` tokens when it is counted by
 * itself. Never cuts a code point; the text as a whole when it fits.
 */
export function truncateText(encoding: Encoding, text: string, maxTokens: number): string {
  if (typeof text !== "string") throw new InvalidArgumentError("text", "a string", text)
  checkCount("maxTokens", maxTokens, 0)
  const { ends, isWhole } = tokenEnds(encoding, text, maxTokens)
  if (isWhole && ends.length <= maxTokens) return text
  return text.slice(0, fittingEnd(encoding, text, 0, ends, maxTokens))
}

/** The end of at most `maxTokens` tokens from `start`, checked by counting: a cut text can split into other pieces. */
function fittingEnd(
  encoding: Encoding,
  text: string,
  start: number,
  ends: readonly number[],
  maxTokens: number,
): number {
  for (let index = Math.min(maxTokens, ends.length) - 1; index >= 0; index--) {
    const end = ends[index]!
    if (end <= start) break
    if (countOrdinary(encoding, text.slice(start, end), maxTokens) <= maxTokens) return end
  }
  return start
}

/** How a text is split. */
export interface SplitOptions {
  /** Most tokens of each part. */
  maxTokens: number
  /** Tokens of a part's end that the next begins with, about; less than `maxTokens`. @defaultValue 0 */
  overlapTokens?: number | undefined
}

/**
 * Splits a text into parts of at most `maxTokens` tokens each. Without overlap they are the text when joined. No code point
 * is cut; a code point that takes more than `maxTokens` tokens is a part of its own.
 */
export function splitText(encoding: Encoding, text: string, options: SplitOptions): string[] {
  if (typeof text !== "string") throw new InvalidArgumentError("text", "a string", text)
  const { maxTokens, overlapTokens = 0 } = options
  checkCount("maxTokens", maxTokens, 1)
  checkCount("overlapTokens", overlapTokens, 0)
  if (overlapTokens >= maxTokens)
    throw new InvalidArgumentError("overlapTokens", `less than maxTokens (${maxTokens})`, overlapTokens)
  const { ends } = tokenEnds(encoding, text, Number.POSITIVE_INFINITY)
  const parts: string[] = []
  let start = 0
  let first = 0
  while (start < text.length) {
    const end = Math.max(
      fittingEnd(encoding, text, start, ends.slice(first, first + maxTokens), maxTokens),
      start + ((text.codePointAt(start) ?? 0) > 0xffff ? 2 : 1),
    )
    parts.push(text.slice(start, end))
    if (end >= text.length) break
    while (ends[first]! <= end && first < ends.length) first++
    // `first` is the first token that ends after this part.
    const back = ends[first - 1 - overlapTokens] ?? start
    if (overlapTokens > 0 && back > start && back < end) {
      start = back
      first -= overlapTokens
      while (ends[first]! <= start) first++
    } else start = end
  }
  return parts
}
