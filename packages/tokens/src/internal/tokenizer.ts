import { CASELESS, type CharClasses, charClasses, classAt, LOWER, NUMBER, OTHER, SPACE, UPPER } from "./char-classes"
import { FOUR_BYTES, matchPiece } from "./match"
import { mergeExactly } from "./merge"
import { CACHED_MOST, PieceCache } from "./piece-cache"
import type { RankData } from "./rank-data"
import { HIGH_MASKS, hashOf, LOW_MASKS, RankTable, SHORT_MOST, shortHash } from "./rank-table"
import type { Scan } from "./scan"
import { ENDS_LOWER, LETTER, lettersIn, PREFIX, type WordBytes, type WordRules, wordBytes } from "./words"

/** Zero bytes that follow a text in its buffer: words are read four bytes at a time, and runs end at a zero. */
export const PADDING = 16

const QUOTE = 0x27

/** Among the starts of words: a digit of a pattern whose numbers are tokens. */
const DIGIT = 4

/** Shortest piece for which matching from left to right is worth more than merging. */
const MATCH_LEAST = 9

function isBlankRun(view: DataView, start: number): boolean {
  return view.getUint8(start) <= 0x20 && view.getUint8(start + 1) <= 0x20
}

/** Bits of a slot of `quick`. */
const QUICK_BITS = 13

/** What is true of some vocabularies and patterns only. */
export interface TokenizerTraits extends WordRules {
  /** Merges runs of white space, whose parts can have higher ranks than the whole (p50k_base). */
  readonly mergeBlankRun?: typeof mergeExactly
  /** The pattern cuts numbers after three digits, and every number of up to three ASCII digits is a token. */
  readonly numbersAreTokens?: boolean
}

/** Counts and encodes UTF-8 with one vocabulary and one pattern. */
export class Tokenizer {
  readonly table: RankTable
  private readonly classes: CharClasses
  private readonly words: WordBytes
  private readonly cache = new PieceCache()
  /** Counts of pieces of at most 8 bytes: three numbers for each slot: its two words, and length · 16 + count. */
  private readonly quick = new Int32Array(3 << QUICK_BITS)

  constructor(
    ranks: readonly RankData[],
    private readonly scan: Scan,
    private readonly traits: TokenizerTraits,
  ) {
    this.table = new RankTable(ranks)
    this.classes = charClasses()
    this.words = wordBytes(this.classes, traits)
    if (traits.numbersAreTokens === true) this.words.starts.fill(DIGIT, 0x30, 0x3a)
  }

  /** End of the piece that begins at `at`. */
  pieceEnd(bytes: Uint8Array, at: number, end: number): number {
    return this.scan(this.classes, bytes, at, end)
  }

  /**
   * Number of tokens from `start` to `end`, which are ends of the text or places found by {@link Tokenizer.cut}. Stops
   * when there are more than `most`, and then returns any number above it.
   */
  count(bytes: Uint8Array, view: DataView, start: number, end: number, most: number): number {
    const { scan, classes, quick } = this
    const { starts, ends } = this.words
    const { pairs } = this.table
    let count = 0
    let at = start
    while (at < end && count <= most) {
      let low = view.getInt32(at, true)
      let high = view.getInt32(at + 4, true)
      const first = starts[low & 255]!
      let length = 0
      if (first === LETTER || (first === PREFIX && starts[(low >> 8) & 255] === LETTER)) {
        length = lettersIn(low, high, first)
        const after = ends[bytes[at + length]!]!
        if (length === 8 || after === 0 || (after === ENDS_LOWER && bytes[at + length - 1]! < 0x61)) length = 0
      } else if (first === DIGIT) {
        // Up to three digits are a piece and a token; a digit of another script may belong to it too.
        const second = starts[(low >> 8) & 255]! === DIGIT ? 1 : 0
        const third = starts[(low >> 16) & 255]! === DIGIT ? second : 0
        const digits = 1 + second + third
        if (digits === 3 || bytes[at + digits]! < 0x80) {
          count++
          at += digits
          continue
        }
      }
      if (length === 0) {
        length = scan(classes, bytes, at, end) - at
        if (length <= 2) {
          count += length === 2 && pairs[(bytes[at]! << 8) | bytes[at + 1]!] === -1 ? 2 : 1
          at += length
          continue
        }
        if (length > SHORT_MOST) {
          count += this.countLong(bytes, view, at, at + length)
          at += length
          continue
        }
      }
      low &= LOW_MASKS[length]!
      high &= HIGH_MASKS[length]!
      const hash = shortHash(low, high)
      const slot = (hash >>> (32 - QUICK_BITS)) * 3
      const entry = quick[slot + 2]!
      if (quick[slot] === low && quick[slot + 1] === high && entry >> 4 === length) count += entry & 15
      else count += this.countShort(bytes, view, at, length, low, high)
      at += length
    }
    return count
  }

  /** Appends the tokens from `start` to `end` to `out`. */
  encode(bytes: Uint8Array, view: DataView, start: number, end: number, out: number[]): void {
    let at = start
    while (at < end) {
      const to = this.scan(this.classes, bytes, at, end)
      this.encodePiece(view, at, to, out)
      at = to
    }
  }

  /** Tokens of a piece of at most 8 bytes, which is given by its words too; kept in `quick`. */
  private countShort(
    bytes: Uint8Array,
    view: DataView,
    start: number,
    length: number,
    low: number,
    high: number,
  ): number {
    const hash = shortHash(low, high)
    const isToken = this.table.findShort(low, high, length, hash) !== -1
    const count = isToken ? 1 : this.countSplit(bytes, view, start, start + length, hash)
    const slot = (hash >>> (32 - QUICK_BITS)) * 3
    this.quick[slot] = low
    this.quick[slot + 1] = high
    this.quick[slot + 2] = (length << 4) | count
    return count
  }

  /** Tokens of a piece of more than 8 bytes. */
  private countLong(bytes: Uint8Array, view: DataView, start: number, end: number): number {
    const length = end - start
    if (length > CACHED_MOST) return this.split(view, start, end)
    const hash = hashOf(view, start, length)
    if (this.table.findLong(view, start, length, hash) !== -1) return 1
    return this.countSplit(bytes, view, start, end, hash)
  }

  /** Tokens of a piece of at most `CACHED_MOST` bytes that is none itself. */
  private countSplit(bytes: Uint8Array, view: DataView, start: number, end: number, hash: number): number {
    const known = this.cache.get(view, start, end - start, hash)
    if (known !== 0) return known
    const count = this.split(view, start, end)
    this.cache.set(bytes, start, end - start, hash, count)
    return count
  }

  encodePiece(view: DataView, start: number, end: number, out: number[]): void {
    const rank = end - start <= this.table.maxLength ? this.table.find(view, start, end - start) : -1
    if (rank === -1) this.split(view, start, end, out)
    else out.push(rank)
  }

  /** Tokens of a piece that is none itself. */
  private split(view: DataView, start: number, end: number, out?: number[]): number {
    // Characters of four bytes leave no border in doubt, so that matching is worth more from two of them on.
    if (end - start < MATCH_LEAST && view.getUint8(start) < FOUR_BYTES)
      return mergeExactly(this.table, view, start, end, out)
    const { mergeBlankRun } = this.traits
    if (mergeBlankRun !== undefined && isBlankRun(view, start)) return mergeBlankRun(this.table, view, start, end, out)
    return matchPiece(this.table, view, start, end, out)
  }

  /**
   * The last place after `start` and before `end` at which every text that goes on from here is cut in any case: after a
   * letter or a number, before white space or a sign that is no apostrophe and no mark. −1 when there is none.
   */
  cut(bytes: Uint8Array, start: number, end: number): number {
    let after = -1
    for (let at = end - 1; at > start; at--) {
      if ((bytes[at]! & 0xc0) === 0x80) continue
      // The last character may be unfinished, so it is not looked at.
      const kind = at + 4 <= end || bytes[at]! < 0x80 ? classAt(this.classes, bytes, at) & 15 : -1
      const ends = kind === UPPER || kind === LOWER || kind === CASELESS || kind === NUMBER
      if (ends && after !== -1) return after
      after = (kind === OTHER && bytes[at] !== QUOTE) || kind === SPACE || kind === 7 ? at : -1
    }
    return -1
  }

  /** Forgets every piece, so that a measurement can begin afresh. */
  clearCache(): void {
    this.cache.clear()
    this.quick.fill(0)
    this.table.forgetNeighbours()
  }
}
