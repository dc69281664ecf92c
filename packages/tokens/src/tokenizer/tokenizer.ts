import {
  CASELESS,
  type CharClasses,
  charClasses,
  classAt,
  LOWER,
  NEWLINE,
  NUMBER,
  OTHER,
  SPACE,
  UPPER,
} from "./char-classes"
import { BacktrackingMatcher, FOUR_BYTES, mergeBytes } from "./match"
import { PieceCache } from "./piece-cache"
import type { RankData } from "./rank-data"
import type { Scan } from "./scan"
import { Vocabulary } from "./vocabulary"

/** Zero bytes after the text in a buffer: up to 8 bytes are read at once, and a zero byte ends every run. */
export const PADDING = 8

const QUOTE = 0x27

/** Longest piece, in bytes, for which merging takes less time than matching. */
const LONGEST_MERGED = 8

export interface TokenizerOptions {
  ranks: readonly RankData[]
  scan: Scan
  /**
   * Whether every number of one to three ASCII digits is a token, and the pattern splits numbers after three digits. Such
   * numbers are counted without a lookup, so JSON is counted 1.25 times as fast (bench/run.mjs).
   */
  hasAllShortNumbers?: boolean
}

/**
 * Counts and encodes UTF-8 with one vocabulary and one pattern.
 *
 * Example, o200k_base, `"strawberries, red"`, 5 tokens:
 * 1. scan (scan.ts): the pattern cuts the text into the pieces `strawberries`, `,` and ` red`.
 * 2. cache (piece-cache.ts): returns the count of a piece that was counted before.
 * 3. find (vocabulary.ts): `,` and ` red` are tokens, so each counts 1.
 * 4. match (match.ts): `strawberries` is not a token, so it is split into `st`, `raw`, `berries`. Pieces of up to 8 bytes are
 *    merged instead, which gives the same tokens.
 */
export class Tokenizer {
  readonly vocabulary: Vocabulary
  readonly #scan: Scan
  readonly #hasAllShortNumbers: boolean
  readonly #classes: CharClasses
  readonly #matcher: BacktrackingMatcher
  readonly #cache = new PieceCache()
  readonly #countPiece = (view: DataView, start: number, end: number) =>
    this.vocabulary.find(view, start, end - start) === -1 ? this.#split(view, start, end) : 1

  constructor({ ranks, scan, hasAllShortNumbers = false }: TokenizerOptions) {
    this.#hasAllShortNumbers = hasAllShortNumbers
    this.vocabulary = new Vocabulary(ranks)
    this.#scan = scan
    this.#classes = charClasses()
    this.#matcher = new BacktrackingMatcher(this.vocabulary)
  }

  /**
   * Returns the number of tokens from `start` to `end`, which are ends of the text or positions found by
   * {@link Tokenizer.cut}. Stops above `max`, and then returns some number above it.
   */
  count(bytes: Uint8Array, view: DataView, start: number, end: number, max: number): number {
    const scan = this.#scan
    const hasAllShortNumbers = this.#hasAllShortNumbers
    const { pairs } = this.vocabulary
    let count = 0
    for (let at = start; at < end && count <= max; ) {
      const to = scan(this.#classes, bytes, at, end)
      const length = to - at
      // Three kinds of pieces need no hash: one byte (always a token), two bytes (looked up in `pairs`), and short
      // numbers. A piece of three bytes that begins and ends with ASCII has no other characters.
      const isNumber = length <= 3 && isDigit(bytes[at]!) && isDigit(bytes[to - 1]!)
      if (length === 1 || (isNumber && hasAllShortNumbers)) count++
      else if (length === 2) count += pairs[view.getUint16(at)] === -1 ? 2 : 1
      else count += this.#cache.count(view, at, to, this.#countPiece)
      at = to
    }
    return count
  }

  /** Returns the end of the piece that begins at `at`. */
  pieceEnd(bytes: Uint8Array, at: number, end: number): number {
    return this.#scan(this.#classes, bytes, at, end)
  }

  /** Appends the tokens from `start` to `end` to `out`. */
  encode(bytes: Uint8Array, view: DataView, start: number, end: number, out: number[]): void {
    for (let at = start; at < end; ) {
      const to = this.pieceEnd(bytes, at, end)
      this.encodePiece(view, at, to, out)
      at = to
    }
  }

  /** Appends the tokens of one piece to `out`. */
  encodePiece(view: DataView, start: number, end: number, out: number[]): void {
    const rank = this.vocabulary.find(view, start, end - start)
    if (rank === -1) this.#split(view, start, end, out)
    else out.push(rank)
  }

  /** Splits a piece that is not a token into tokens; returns their number and appends them to `out`. */
  #split(view: DataView, start: number, end: number, out?: number[]): number {
    if (end - start <= LONGEST_MERGED && view.getUint8(start) < FOUR_BYTES)
      return mergeBytes(this.vocabulary, view, start, end, out)
    return this.#matcher.match(view, start, end, out)
  }

  /**
   * Returns the last position between `start` and `end` that stays a piece boundary whatever text follows, or −1 if there is
   * none: after a letter or a number, and before white space or punctuation other than an apostrophe, which may begin `'s`.
   */
  cut(bytes: Uint8Array, start: number, end: number): number {
    let after = -1
    for (let at = end - 1; at > start; at--) {
      if ((bytes[at]! & 0xc0) === 0x80) continue
      // The last character may be incomplete, so it is not read.
      const kind = at + 4 <= end || bytes[at]! < 0x80 ? classAt(this.#classes, bytes, at) & 15 : -1
      const isWordEnd = kind === UPPER || kind === LOWER || kind === CASELESS || kind === NUMBER
      if (isWordEnd && after !== -1) return after
      after = (kind === OTHER && bytes[at] !== QUOTE) || kind === SPACE || kind === NEWLINE ? at : -1
    }
    return -1
  }

  /** Clears the cache of pieces and the matcher's cache of token pairs, so that a benchmark can start cold. */
  clearCache(): void {
    this.#cache.clear()
    this.#matcher.clear()
  }
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}
