import { CASELESS, type CharClasses, charClasses, classAt, LOWER, NUMBER, OTHER, SPACE, UPPER } from "./char-classes"
import { matchPiece } from "./match"
import { mergeExactly } from "./merge"
import { CACHED_MOST, PieceCache } from "./piece-cache"
import type { RankData } from "./rank-data"
import { hashOf, RankTable } from "./rank-table"
import type { Scan } from "./scan"

/** Zero bytes that follow a text in its buffer: words are read four bytes at a time, and runs end at a zero. */
export const PADDING = 16

const QUOTE = 0x27

/** Shortest piece for which matching from left to right is worth more than merging. */
const MATCH_LEAST = 9

function isBlankRun(view: DataView, start: number): boolean {
  return view.getUint8(start) <= 0x20 && view.getUint8(start + 1) <= 0x20
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}

/** Masks for the first and the second word of a piece of at most 8 bytes, by its length. */
const LOW_MASKS = Int32Array.of(0, 0xff, 0xffff, 0xffffff, -1, -1, -1, -1, -1)
const HIGH_MASKS = Int32Array.of(0, 0, 0, 0, 0, 0xff, 0xffff, 0xffffff, -1)

/** Bits of a slot of `quick`. */
const QUICK_BITS = 13

/** What is true of some vocabularies and patterns only. */
export interface TokenizerTraits {
  /** Parts of a run of white space can have higher ranks than the whole (p50k_base). */
  readonly mergesBlankRuns?: boolean
  /** The pattern cuts numbers after three digits, and every number of up to three ASCII digits is a token. */
  readonly numbersAreTokens?: boolean
}

/** Counts and encodes UTF-8 with one vocabulary and one pattern. */
export class Tokenizer {
  readonly table: RankTable
  private readonly classes: CharClasses
  private readonly cache = new PieceCache()
  /** Counts of pieces of at most 8 bytes: three numbers for each slot: its two words, and length · 16 + count. */
  private readonly quick = new Int32Array(3 << QUICK_BITS)

  constructor(
    ranks: readonly RankData[],
    private readonly scan: Scan,
    private readonly traits: TokenizerTraits = {},
  ) {
    this.table = new RankTable(ranks)
    this.classes = charClasses()
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
    const { pairs } = this.table
    const numbersAreTokens = this.traits.numbersAreTokens === true
    let count = 0
    let at = start
    while (at < end && count <= most) {
      if (numbersAreTokens && isDigit(bytes[at]!)) {
        // Up to three digits are a piece and a token; a digit of another script may belong to it too.
        let to = at + 1
        if (isDigit(bytes[to]!)) to++
        if (isDigit(bytes[to]!) && to === at + 2) to++
        if (to === at + 3 || bytes[to]! < 0x80) {
          count++
          at = to
          continue
        }
      }
      const to = scan(classes, bytes, at, end)
      const length = to - at
      if (length === 1) count++
      else if (length === 2) count += pairs[(bytes[at]! << 8) | bytes[at + 1]!] === -1 ? 2 : 1
      else if (length <= 8) {
        const low = view.getInt32(at, true) & LOW_MASKS[length]!
        const high = view.getInt32(at + 4, true) & HIGH_MASKS[length]!
        const hash = Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1)
        const slot = (hash >>> (32 - QUICK_BITS)) * 3
        const entry = quick[slot + 2]!
        if (quick[slot] === low && quick[slot + 1] === high && entry >> 4 === length) count += entry & 15
        else {
          const tokens = this.countPiece(bytes, view, at, to)
          quick[slot] = low
          quick[slot + 1] = high
          quick[slot + 2] = (length << 4) | tokens
          count += tokens
        }
      } else count += this.countPiece(bytes, view, at, to)
      at = to
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

  countPiece(bytes: Uint8Array, view: DataView, start: number, end: number): number {
    const length = end - start
    if (length > CACHED_MOST) return this.split(view, start, end)
    const hash = hashOf(view, start, length)
    if (this.table.findHashed(view, start, length, hash) !== -1) return 1
    const known = this.cache.get(view, start, length, hash)
    if (known !== 0) return known
    const count = this.split(view, start, end)
    this.cache.set(bytes, start, length, hash, count)
    return count
  }

  encodePiece(view: DataView, start: number, end: number, out: number[]): void {
    const rank = end - start <= this.table.maxLength ? this.table.find(view, start, end - start) : -1
    if (rank === -1) this.split(view, start, end, out)
    else out.push(rank)
  }

  /** Tokens of a piece that is none itself. */
  private split(view: DataView, start: number, end: number, out?: number[]): number {
    if (end - start < MATCH_LEAST || (this.traits.mergesBlankRuns === true && isBlankRun(view, start)))
      return mergeExactly(this.table, view, start, end, out)
    const count = matchPiece(this.table, view, start, end, out)
    return count === -1 ? mergeExactly(this.table, view, start, end, out) : count
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
