import { mergeBytes } from "./merge"
import { decodeRankData, type RankData } from "./rank-data"

/** Longest token that is stored in the short table. */
export const SHORT_LENGTH = 8

/** Numbers of an entry of the short table: the token's bytes as two words, and rank · 16 + length; 0 is an empty entry. */
const ENTRY = 3

/** In a slot for a long token: this many bits are the offset of its bytes, the rest is part of the hash. */
const OFFSET_BITS = 22

/** Bytes in front of each long token: its length in the first, its rank in the other three. */
const HEADER = 4

/** Bits of the hash of a token's first bytes. */
const START_BITS = 17

/** Lengths that are always tried, as bits: those of tokens that are shorter than what is hashed. */
const ONE_TO_TWO = 0b110
const ONE_TO_THREE = 0b1110

/** Longest token whose length is a bit of `lengthsByStart`. */
const LONGEST_BIT = 30

/**
 * A vocabulary: every token's bytes and rank. A token's rank is also its number.
 *
 * Example, o200k_base: `find(" the")` is 290, `find("the")` is 3086, `find("thx")` is −1 (not a token).
 *
 * Two open-addressed hash tables: tokens of at most 8 bytes are whole in the short one, as two 32-bit words, so that a
 * search reads memory in one place; longer ones are found by the hash of their bytes, which are then compared. One table for
 * both counts JSON at half the speed (bench/run.mjs). Buffers that are searched must have 8 more bytes after the searched range.
 */
export class Vocabulary {
  /** One more than the highest rank. */
  readonly size: number
  /** Length of the longest token in bytes. */
  readonly maxLength: number
  /** Length of each token in bytes; 0 for a rank without one. */
  readonly lengths: Uint8Array
  /** The short table, then the bytes of all long tokens, each after its header. */
  readonly #view: DataView
  /** Where each token's bytes are. */
  readonly #offsets: Int32Array
  readonly #short: Int32Array
  readonly #shortBits: number
  readonly #long: Int32Array
  readonly #longStart: number
  /** Ranks of the tokens of two bytes, by the first byte · 256 + the second; −1 for none. */
  readonly pairs = new Int32Array(1 << 16).fill(-1)
  /** Lengths of the tokens that begin with the same bytes, one bit for each; bit 31 for all above 30. */
  readonly #lengthsByStart = new Int32Array(1 << START_BITS)
  /** Lengths above 30, longest first, of the tokens that begin with these four bytes. */
  readonly #longLengths = new Map<number, number[]>()
  /** By rank, computed on first use: the two parts that the last merge made the token of, and its `shorter`, each plus 1. */
  readonly #left: Int32Array
  readonly #right: Int32Array
  readonly #shorter: Int32Array

  constructor(parts: readonly RankData[]) {
    const last = parts[parts.length - 1]!
    this.size = last.first + last.count
    this.lengths = new Uint8Array(this.size)
    const data = parts.map(decodeRankData)
    for (const [index, { first, count }] of parts.entries()) this.lengths.set(data[index]!.subarray(0, count), first)
    let shortCount = 0
    let longBytes = 0
    for (const length of this.lengths) {
      if (length <= SHORT_LENGTH) shortCount++
      else longBytes += HEADER + length
    }
    // At most two thirds of the short table and half of the long one are used.
    this.#shortBits = Math.ceil(Math.log2(shortCount * 1.5))
    this.#long = new Int32Array(2 ** Math.ceil(Math.log2((this.size - shortCount) * 2)))
    this.#longStart = (ENTRY * 4) << this.#shortBits
    this.#view = new DataView(new ArrayBuffer(this.#longStart + longBytes + 8))
    this.#short = new Int32Array(this.#view.buffer, 0, ENTRY << this.#shortBits)
    this.#offsets = new Int32Array(this.size)
    this.#left = new Int32Array(this.size)
    this.#right = new Int32Array(this.size)
    this.#shorter = new Int32Array(this.size)
    let to = this.#longStart
    for (const [index, part] of parts.entries()) to = this.#unpack(part, data[index]!, to)
    this.maxLength = this.lengths.reduce((longest, length) => Math.max(longest, length), 0)
    for (const lengths of this.#longLengths.values()) lengths.sort((a, b) => b - a)
  }

  /** Rank of the token with these bytes, or −1. */
  find(view: DataView, start: number, length: number): number {
    if (length === 2) return this.pairs[view.getUint16(start)]!
    if (length > this.maxLength) return -1
    if (length > SHORT_LENGTH) return this.findLong(view, start, length, hashOf(view, start, length))
    const low = view.getInt32(start, true) & LOW_MASKS[length]!
    const high = view.getInt32(start + 4, true) & HIGH_MASKS[length]!
    return this.findShort(low, high, length, shortHash(low, high))
  }

  /** Rank of the token of at most 8 bytes with these two words and their hash, or −1. */
  findShort(low: number, high: number, length: number, hash: number): number {
    const short = this.#short
    const mask = (1 << this.#shortBits) - 1
    for (let slot = hash >>> (32 - this.#shortBits); ; slot = (slot + 1) & mask) {
      const at = slot * ENTRY
      const entry = short[at + 2]!
      if (entry === 0) return -1
      if (short[at] === low && short[at + 1] === high && (entry & 15) === length) return entry >> 4
    }
  }

  /** Rank of the token of more than 8 bytes with this hash, or −1. */
  findLong(view: DataView, start: number, length: number, hash: number): number {
    const mask = this.#long.length - 1
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#long[slot]!
      if (entry === 0) return -1
      if ((entry ^ hash) >>> OFFSET_BITS !== 0) continue
      const offset = this.#longStart + (entry & ((1 << OFFSET_BITS) - 1))
      const header = this.#view.getInt32(offset - HEADER, true)
      if ((header & 0xff) === length && sameBytes(this.#view, offset, view, start, length)) return header >> 8
    }
  }

  /** The longest token of at most `most` bytes that begins at `at`. There always is one, because every byte is a token. */
  longestAt(view: DataView, at: number, most: number): number {
    const word = view.getInt32(at, true)
    let lengths = this.#lengthsByStart[startHash(word)]!
    if (lengths < 0 && most > LONGEST_BIT)
      for (const length of this.#longLengths.get(word) ?? []) {
        const rank = length > most ? -1 : this.find(view, at, length)
        if (rank !== -1) return rank
      }
    lengths |= isFourBytes(word) ? ONE_TO_THREE : ONE_TO_TWO
    lengths &= most >= LONGEST_BIT ? 0x7fffffff : (2 << most) - 1
    for (;;) {
      const length = 31 - Math.clz32(lengths)
      const rank = this.find(view, at, length)
      if (rank !== -1) return rank
      lengths ^= 1 << length
    }
  }

  /** The longest shorter token that this token begins with, or −1 for a single byte. */
  shorter(rank: number): number {
    if (this.lengths[rank] === 1) return -1
    if (this.#shorter[rank] === 0)
      this.#shorter[rank] = this.longestAt(this.#view, this.#offsets[rank]!, this.lengths[rank]! - 1) + 1
    return this.#shorter[rank]! - 1
  }

  /** The left one of the two parts that the last merge made this token of. */
  left(rank: number): number {
    if (this.#left[rank] === 0) this.#findParts(rank)
    return this.#left[rank]! - 1
  }

  /** The right one of the two parts. */
  right(rank: number): number {
    if (this.#left[rank] === 0) this.#findParts(rank)
    return this.#right[rank]! - 1
  }

  /** Bytes of a token; empty for a rank without one. */
  bytesOf(rank: number): Uint8Array {
    return new Uint8Array(this.#view.buffer, this.#offsets[rank], this.lengths[rank])
  }

  #findParts(rank: number): void {
    const start = this.#offsets[rank]!
    // Every token of every vocabulary has exactly two parts; a test looks at all of them.
    const parts: number[] = []
    mergeBytes(this, this.#view, start, start + this.lengths[rank]!, parts, rank)
    this.#left[rank] = parts[0]! + 1
    this.#right[rank] = parts[1]! + 1
  }

  /** Stores the tokens of one part, long ones from `to` on. Returns where the next long one goes. */
  #unpack({ first, count }: RankData, data: Uint8Array, to: number): number {
    const source = new DataView(data.buffer)
    const view = this.#view
    let from = count
    for (let rank = first; rank < first + count; rank++) {
      const length = this.lengths[rank]!
      if (length === 0) continue
      this.#addStart(source.getInt32(from, true), length)
      if (length <= SHORT_LENGTH) this.#addShort(rank, source, from, length)
      else {
        view.setInt32(to, (rank << 8) | length, true)
        to += HEADER
        this.#addLong(rank, to, hashOf(source, from, length))
        // One by one: calling set() for so few bytes takes longer.
        for (let index = 0; index < length; index++) view.setUint8(to++, data[from + index]!)
      }
      from += length
    }
    return to
  }

  #addShort(rank: number, source: DataView, from: number, length: number): void {
    const low = source.getInt32(from, true) & LOW_MASKS[length]!
    const high = source.getInt32(from + 4, true) & HIGH_MASKS[length]!
    if (length === 2) this.pairs[source.getUint16(from)] = rank
    const mask = (1 << this.#shortBits) - 1
    let slot = shortHash(low, high) >>> (32 - this.#shortBits)
    while (this.#short[slot * ENTRY + 2] !== 0) slot = (slot + 1) & mask
    this.#short.set([low, high, (rank << 4) | length], slot * ENTRY)
    this.#offsets[rank] = slot * ENTRY * 4
  }

  #addLong(rank: number, offset: number, hash: number): void {
    const mask = this.#long.length - 1
    let slot = hash & mask
    while (this.#long[slot] !== 0) slot = (slot + 1) & mask
    this.#long[slot] = ((hash >>> OFFSET_BITS) << OFFSET_BITS) | (offset - this.#longStart)
    this.#offsets[rank] = offset
  }

  #addStart(word: number, length: number): void {
    this.#lengthsByStart[startHash(word)]! |= 1 << (length > LONGEST_BIT ? 31 : length)
    if (length <= LONGEST_BIT) return
    const lengths = this.#longLengths.get(word) ?? []
    if (!lengths.includes(length)) lengths.push(length)
    this.#longLengths.set(word, lengths)
  }
}

/** Whether a character of four bytes begins here. */
function isFourBytes(word: number): boolean {
  return (word & 0xff) >= 0xf0
}

/** Hash of the first three bytes, or of four where a character of four bytes begins, because many of these share three. */
function startHash(word: number): number {
  return Math.imul(isFourBytes(word) ? word : word & 0xffffff, 0x9e3779b1) >>> (32 - START_BITS)
}

/** Masks for the first and the second word of at most 8 bytes, by the number of bytes. */
export const LOW_MASKS = /* @__PURE__ */ Int32Array.of(0, 0xff, 0xffff, 0xffffff, -1, -1, -1, -1, -1)
export const HIGH_MASKS = /* @__PURE__ */ Int32Array.of(0, 0, 0, 0, 0, 0xff, 0xffff, 0xffffff, -1)

/** Hash of at most 8 bytes as two words; its upper bits are the good ones. */
export function shortHash(low: number, high: number): number {
  return Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1)
}

/** A 32-bit hash of a range of bytes, read four at a time. */
export function hashOf(view: DataView, start: number, length: number): number {
  let at = start
  let remaining = length
  let hash = length
  while (remaining > 4) {
    hash = Math.imul(hash ^ view.getInt32(at, true), 0x9e3779b1)
    hash ^= hash >>> 15
    at += 4
    remaining -= 4
  }
  hash = Math.imul(hash ^ (view.getInt32(at, true) & LOW_MASKS[remaining]!), 0x85ebca6b)
  hash ^= hash >>> 13
  hash = Math.imul(hash, 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

/** Whether two ranges hold the same bytes. */
export function sameBytes(a: DataView, atA: number, b: DataView, atB: number, length: number): boolean {
  let offset = 0
  for (; length - offset > 4; offset += 4)
    if (a.getInt32(atA + offset, true) !== b.getInt32(atB + offset, true)) return false
  return ((a.getInt32(atA + offset, true) ^ b.getInt32(atB + offset, true)) & LOW_MASKS[length - offset]!) === 0
}
