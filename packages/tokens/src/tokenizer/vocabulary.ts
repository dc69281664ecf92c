import { decodeRankData, type RankData } from "./rank-data"

/** A slot of the hash table has this many bits for the offset of the token's bytes; the others are part of the hash. */
const OFFSET_BITS = 22

/** Bytes before each token: its length in the first, its rank in the other three. */
const HEADER = 4

/** Bits of the hash of a token's first bytes. */
const START_BITS = 17

/** Bit sets of the lengths that are always tried, because such tokens are shorter than the hashed bytes. */
const ONE_TO_TWO = 0b110
const ONE_TO_THREE = 0b1110

/** Longest token whose length is a bit of `lengthsByStart`. */
const LONGEST_BIT = 30

/**
 * The bytes and the rank of every token. The rank is also the number that `encode` returns.
 *
 * Example, o200k_base: `find(" the")` is 290, `find("the")` is 3086, `find("thx")` is −1 (not a token).
 *
 * All tokens are in one array of bytes, each after its length and rank. A hash table with open addressing finds a token,
 * and its bytes are always compared. Buffers that are searched must have 8 more bytes after the searched range.
 */
export class Vocabulary {
  /** One more than the highest rank. */
  readonly size: number
  /** Length of each token in bytes; 0 for a rank without one. */
  readonly lengths: Uint8Array
  /** Ranks of the tokens of two bytes, by the first byte · 256 + the second; −1 for none. */
  readonly pairs = new Int32Array(1 << 16).fill(-1)
  readonly #maxLength: number
  /** The bytes of all tokens. */
  readonly view: DataView
  /** Where each token's bytes begin in `view`. */
  readonly offsets: Int32Array
  readonly #slots: Int32Array
  /**
   * By `startHash`: the lengths of the tokens that begin with these bytes, one bit for each; bit 31 for all above 30. A
   * collision of the hash adds lengths, for which `find` then returns −1.
   */
  readonly #lengthsByStart = new Int32Array(1 << START_BITS)
  /** Lengths above 30, longest first, of the tokens that begin with these four bytes. */
  readonly #longLengths = new Map<number, number[]>()
  /** Results of `shorter` by rank, plus 1; 0 if not computed yet. */
  readonly #shorter: Int32Array

  constructor(parts: readonly RankData[]) {
    const last = parts[parts.length - 1]!
    this.size = last.first + last.count
    this.lengths = new Uint8Array(this.size)
    this.offsets = new Int32Array(this.size)
    this.#shorter = new Int32Array(this.size)
    // At most half of the slots are used.
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(this.size * 2)))
    // A part's data is one length byte per rank, then the tokens.
    const bytes = parts.reduce((sum, { size, count }) => sum + size - count + count * HEADER, 0)
    this.view = new DataView(new ArrayBuffer(bytes + 8))
    let to = 0
    for (const part of parts) to = this.#unpack(part, to)
    this.#maxLength = this.lengths.reduce((longest, length) => Math.max(longest, length), 0)
    for (const lengths of this.#longLengths.values()) lengths.sort((a, b) => b - a)
  }

  /** Rank of the token with these bytes, or −1. */
  find(view: DataView, start: number, length: number): number {
    if (length === 2) return this.pairs[view.getUint16(start)]!
    if (length > this.#maxLength) return -1
    const hash = hashOf(view, start, length)
    const slots = this.#slots
    const mask = slots.length - 1
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = slots[slot]!
      if (entry === 0) return -1
      if ((entry ^ hash) >>> OFFSET_BITS !== 0) continue
      const offset = entry & ((1 << OFFSET_BITS) - 1)
      const header = this.view.getInt32(offset - HEADER, true)
      if ((header & 0xff) === length && sameBytes(this.view, offset, view, start, length)) return header >> 8
    }
  }

  /** Returns the longest token of at most `max` bytes at `at`. There is always one, because every byte is a token. */
  longestAt(view: DataView, at: number, max: number): number {
    // Looks up only the lengths that tokens with these first bytes have, the longest first.
    const word = view.getInt32(at, true)
    let lengths = this.#lengthsByStart[startHash(word)]!
    if (lengths < 0 && max > LONGEST_BIT)
      for (const length of this.#longLengths.get(word) ?? []) {
        const rank = length > max ? -1 : this.find(view, at, length)
        if (rank !== -1) return rank
      }
    lengths |= isFourBytes(word) ? ONE_TO_THREE : ONE_TO_TWO
    lengths &= max >= LONGEST_BIT ? 0x7fffffff : (2 << max) - 1
    for (;;) {
      const length = 31 - Math.clz32(lengths)
      const rank = this.find(view, at, length)
      if (rank !== -1) return rank
      lengths ^= 1 << length
    }
  }

  /** Returns the longest proper prefix of a token that is a token too, or −1 for a single byte. */
  shorter(rank: number): number {
    if (this.lengths[rank] === 1) return -1
    if (this.#shorter[rank] === 0)
      this.#shorter[rank] = this.longestAt(this.view, this.offsets[rank]!, this.lengths[rank]! - 1) + 1
    return this.#shorter[rank]! - 1
  }

  /** Bytes of a token; empty for a rank without one. */
  bytesOf(rank: number): Uint8Array {
    return new Uint8Array(this.view.buffer, this.offsets[rank], this.lengths[rank])
  }

  /** Stores the tokens of one part from `to` on. Returns where the next part begins. */
  #unpack(part: RankData, to: number): number {
    const data = decodeRankData(part)
    const source = new DataView(data.buffer)
    const view = this.view
    const mask = this.#slots.length - 1
    let from = part.count
    for (let index = 0; index < part.count; index++) {
      const length = data[index]!
      if (length === 0) continue
      const rank = part.first + index
      view.setInt32(to, (rank << 8) | length, true)
      to += HEADER
      this.lengths[rank] = length
      this.offsets[rank] = to
      this.#addStart(source.getInt32(from, true), length)
      if (length === 2) this.pairs[source.getUint16(from)] = rank
      const hash = hashOf(source, from, length)
      let slot = hash & mask
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask
      this.#slots[slot] = ((hash >>> OFFSET_BITS) << OFFSET_BITS) | to
      // One by one, because calling set() takes longer for so few bytes.
      for (const end = from + length; from < end; ) view.setUint8(to++, data[from++]!)
    }
    return to
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

/** Keeps the first bytes of a little-endian word, by their number. */
const MASKS = /* @__PURE__ */ Int32Array.of(0, 0xff, 0xffff, 0xffffff, -1)

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
  hash = Math.imul(hash ^ (view.getInt32(at, true) & MASKS[remaining]!), 0x85ebca6b)
  hash ^= hash >>> 13
  hash = Math.imul(hash, 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

/** Whether two ranges hold the same bytes. */
export function sameBytes(a: DataView, atA: number, b: DataView, atB: number, length: number): boolean {
  let offset = 0
  for (; length - offset > 4; offset += 4)
    if (a.getInt32(atA + offset, true) !== b.getInt32(atB + offset, true)) return false
  return ((a.getInt32(atA + offset, true) ^ b.getInt32(atB + offset, true)) & MASKS[length - offset]!) === 0
}
