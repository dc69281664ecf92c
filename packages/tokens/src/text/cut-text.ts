import { InvalidArgumentError } from "@p2/core"
import { tokenizerOf } from "../encodings/encoding"
import { checkText, checkTokenNumber } from "./count-text"
import type { TextMeasure } from "./text-measure"
import { forEachBlock, utf16Length } from "./utf8-blocks"

/** Where the tokens of a string end. */
interface TokenEnds {
  /** In UTF-16 units. For a token that ends inside a character, the start of the character. */
  ends: number[]
  /** For each token, about how many tokens the text up to its end has. */
  totals: number[]
  /** Whether the arrays cover the whole text. */
  isWhole: boolean
}

/** Finds the ends of the first `maxTokens` tokens. */
function tokenEnds(measure: TextMeasure, text: string, maxTokens: number): TokenEnds {
  const tokenizer = tokenizerOf(measure.encoding)
  const { lengths } = tokenizer.vocabulary
  const ends: number[] = []
  const totals: number[] = []
  let units = 0
  let total = 0
  let isWhole = true
  forEachBlock(tokenizer, text, (bytes, view, end) => {
    let at = 0
    let counted = 0
    const tokens: number[] = []
    while (at < end) {
      if (ends.length >= maxTokens) {
        isWhole = false
        return false
      }
      const to = tokenizer.pieceEnd(bytes, at, end)
      tokens.length = 0
      tokenizer.encodePiece(view, at, to, tokens)
      for (const token of tokens) {
        at += lengths[token]!
        let cut = at
        while ((bytes[cut]! & 0xc0) === 0x80) cut--
        const before = units
        if (cut > counted) {
          units += utf16Length(bytes, counted, cut)
          counted = cut
        }
        total += measure.weigh(text, before, units)
        ends.push(units)
        totals.push(total)
      }
    }
    return true
  })
  return { ends, totals, isWhole }
}

/**
 * Returns the longest prefix that ends after a token and has at most `maxTokens` tokens when counted by itself. Returns the
 * whole text if it fits. Never splits a code point.
 */
export function truncateText(measure: TextMeasure, text: string, maxTokens: number): string {
  checkText(text)
  checkTokenNumber("maxTokens", maxTokens, 0)
  // A token weighs at least 1, so more than `maxTokens` of them never fit.
  const tokens = tokenEnds(measure, text, maxTokens)
  const isShort = tokens.isWhole && tokens.ends.length <= maxTokens
  if (isShort && (measure.basis === "exact" || measure.count(text) <= maxTokens)) return text
  return text.slice(0, fittingEnd(measure, text, 0, tokens, 0, maxTokens))
}

/**
 * Returns the end of the longest part from `start` that has at most `maxTokens` tokens; `start` if not even one token fits.
 * `first` is the first token that ends after `start`. Every candidate is counted, because a substring can be tokenized
 * differently than within the whole string.
 */
function fittingEnd(
  measure: TextMeasure,
  text: string,
  start: number,
  { ends, totals }: TokenEnds,
  first: number,
  maxTokens: number,
): number {
  let target = (totals[first - 1] ?? 0) + maxTokens - measure.addedTokens
  for (
    let index = lastWithin(totals, target);
    index >= first;
    index = Math.min(index - 1, lastWithin(totals, target))
  ) {
    const end = ends[index]!
    if (end <= start) break
    const excess = measure.count(text.slice(start, end), maxTokens) - maxTokens
    if (excess <= 0) return end
    target = totals[index]! - excess
  }
  return start
}

/** Returns the last index whose total is at most `target`, or −1. Totals are in ascending order. */
function lastWithin(totals: readonly number[], target: number): number {
  let low = 0
  let high = totals.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (totals[middle]! <= target) low = middle + 1
    else high = middle
  }
  return low - 1
}

/** Options for splitting text. */
export interface SplitOptions {
  /** Maximum number of tokens in each part. */
  maxTokens: number
  /** About how many tokens each part repeats from the end of the one before; less than `maxTokens`. @defaultValue 0 */
  overlapTokens?: number | undefined
}

/**
 * Splits text into parts of at most `maxTokens` tokens each. Without overlap, the joined parts equal the text. Never splits a
 * code point; a code point that has more than `maxTokens` tokens is a separate part.
 */
export function splitText(measure: TextMeasure, text: string, options: SplitOptions): string[] {
  checkText(text)
  if (typeof options !== "object" || options === null)
    throw new InvalidArgumentError("options", "an object such as { maxTokens: 500 }", options)
  const { maxTokens, overlapTokens = 0 } = options
  checkTokenNumber("maxTokens", maxTokens, 1)
  checkTokenNumber("overlapTokens", overlapTokens, 0)
  if (overlapTokens >= maxTokens)
    throw new InvalidArgumentError("overlapTokens", `less than \`maxTokens\`, which is ${maxTokens}`, overlapTokens)
  const tokens = tokenEnds(measure, text, Number.POSITIVE_INFINITY)
  const { ends, totals } = tokens
  const parts: string[] = []
  let start = 0
  let first = 0
  while (start < text.length) {
    const oneCodePoint = start + (text.codePointAt(start)! > 0xffff ? 2 : 1)
    const end = Math.max(oneCodePoint, fittingEnd(measure, text, start, tokens, first, maxTokens))
    parts.push(text.slice(start, end))
    if (end >= text.length) break
    while (ends[first]! <= end) first++
    const overlapStart =
      overlapTokens === 0 ? end : (ends[lastWithin(totals, totals[first - 1]! - overlapTokens)] ?? start)
    if (overlapStart <= start || overlapStart >= end) start = end
    else {
      start = overlapStart
      while (first > 0 && ends[first - 1]! > start) first--
    }
  }
  return parts
}
