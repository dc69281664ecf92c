import { decodeRankData, type RankData } from "./rank-data"

/** Longest token that stands in the short table. */
export const SHORT_MOST = 8

/** Masks for the first and the second word of at most 8 bytes, by their number. */
export const LOW_MASKS = /* @__PURE__ */ Int32Array.of(0, 0xff, 0xffff, 0xffffff, -1, -1, -1, -1, -1)
export const HIGH_MASKS = /* @__PURE__ */ Int32Array.of(0, 0, 0, 0, 0, 0xff, 0xffff, 0xffffff, -1)

/** Numbers of an entry of the short table: its two words, and rank · 16 + length; 0 for none. */
const ENTRY = 3

/** An offset takes this many bits of a long slot, the rest is part of the hash; no vocabulary has more long bytes. */
const OFFSET_BITS = 22

/** Bytes before those of each long token: its length in the first, its rank in the others. */
const HEADER = 4

/** In the place of the upper bits: a split that was not looked for yet. */
const UNKNOWN = 0xff

/** Bits of the hash of a token's first bytes. */
const PREFIX_BITS = 17

/** Bits of the slots for pairs of tokens. */
const NEIGHBOUR_BITS = 13

function neighbourSlot(first: number, second: number): number {
  return (Math.imul(Math.imul(first, 0x9e3779b1) ^ second, 0x85ebca6b) >>> (32 - NEIGHBOUR_BITS)) * 2
}

/**
 * A vocabulary as integers. Tokens of at most 8 bytes stand whole in an open-addressed table, so that a search touches
 * memory in one place; longer ones by the hash of their bytes. A hit is a hit only after all bytes were compared. Ranges
 * that are looked up must be followed by at least 8 more bytes in their buffer.
 */
export class RankTable {
  /** One more than the highest rank. */
  readonly size: number
  /** Length of the longest token in bytes. */
  readonly maxLength: number
  /** The short table, then the bytes of all longer tokens, each after its header. */
  readonly bytes: Uint8Array
  readonly view: DataView
  /** Where each token's bytes begin. */
  readonly offsets: Int32Array
  /** Length of each token; 0 for a rank without one. */
  readonly lengths: Uint8Array
  /** Ranks of all tokens of two bytes, by first · 256 + second; −1 where there is none. */
  readonly pairs: Int32Array
  /** Ranks of the tokens of one byte, which every byte is. */
  readonly singles = new Int32Array(256)
  /** The two parts of which merging makes each token: 16 bits of both by 2 · rank, and 4 and 4 more by rank. */
  private readonly splits: Uint16Array
  private readonly splitsAbove: Uint8Array
  /**
   * What was found out about two tokens as neighbours, two numbers for each slot: the first token + 1, so that 0 is none,
   * and the second · 2, plus 1 if merging leaves their border alone.
   */
  private readonly neighbours = new Int32Array(2 << NEIGHBOUR_BITS)
  /** Lengths of the tokens that begin with the same bytes, as bits; bit 31 for all above 30. */
  private readonly prefixes = new Int32Array(1 << PREFIX_BITS)
  /** The short table, as numbers. */
  private readonly short: Int32Array
  private readonly shortShift: number
  private readonly shortMask: number
  /** Places of the long tokens after the short table. */
  private readonly long: Int32Array
  private readonly longMask: number
  private readonly longStart: number

  constructor(parts: readonly RankData[]) {
    const last = parts[parts.length - 1]!
    this.size = last.first + last.count
    this.lengths = new Uint8Array(this.size)
    const data = parts.map(decodeRankData)
    for (const [index, { first, count }] of parts.entries()) this.lengths.set(data[index]!.subarray(0, count), first)
    let shortCount = 0
    let longBytes = 0
    for (const length of this.lengths) {
      if (length <= SHORT_MOST) shortCount++
      else longBytes += HEADER + length
    }
    const shortBits = Math.ceil(Math.log2(shortCount * 1.5))
    const longCount = this.size - shortCount
    this.shortShift = 32 - shortBits
    this.shortMask = (1 << shortBits) - 1
    this.longStart = (ENTRY * 4) << shortBits
    this.bytes = new Uint8Array(this.longStart + longBytes + 8)
    this.view = new DataView(this.bytes.buffer)
    this.short = new Int32Array(this.bytes.buffer, 0, ENTRY << shortBits)
    // Between a quarter and a half of the slots are taken.
    this.long = new Int32Array(2 ** Math.ceil(Math.log2(longCount * 2)))
    this.longMask = this.long.length - 1
    this.offsets = new Int32Array(this.size)
    this.splits = new Uint16Array(this.size * 2)
    this.splitsAbove = new Uint8Array(this.size).fill(UNKNOWN)
    this.pairs = new Int32Array(65536).fill(-1)
    let to = this.longStart
    for (const [index, part] of parts.entries()) to = this.unpack(part, data[index]!, to)
    this.maxLength = this.lengths.reduce((longest, length) => Math.max(longest, length), 0)
  }

  /** Rank of the token with these bytes, or −1. */
  find(view: DataView, start: number, length: number): number {
    if (length > SHORT_MOST) return this.findLong(view, start, length, hashOf(view, start, length))
    const low = view.getInt32(start, true) & LOW_MASKS[length]!
    const high = view.getInt32(start + 4, true) & HIGH_MASKS[length]!
    return this.findShort(low, high, length, shortHash(low, high))
  }

  /** Rank of the token of at most 8 bytes with these two words and their hash, or −1. */
  findShort(low: number, high: number, length: number, hash: number): number {
    const { short } = this
    let slot = hash >>> this.shortShift
    for (;;) {
      const at = slot * ENTRY
      const entry = short[at + 2]!
      if (entry === 0) return -1
      if (short[at] === low && short[at + 1] === high && (entry & 15) === length) return entry >> 4
      slot = (slot + 1) & this.shortMask
    }
  }

  /** Rank of the token of more than 8 bytes with this hash, or −1. */
  findLong(view: DataView, start: number, length: number, hash: number): number {
    let slot = hash & this.longMask
    for (;;) {
      const entry = this.long[slot]!
      if (entry === 0) return -1
      if ((entry ^ hash) >>> OFFSET_BITS === 0) {
        const offset = this.longStart + (entry & ((1 << OFFSET_BITS) - 1))
        const header = this.view.getInt32(offset - HEADER, true)
        if ((header & 0xff) === length && sameBytes(this.view, offset, view, start, length)) return header >> 8
      }
      slot = (slot + 1) & this.longMask
    }
  }

  /** Bits of the lengths that tokens of three bytes and more which begin at `at` may have; bit 31 for all above 30. */
  lengthsAt(view: DataView, at: number): number {
    const lengths = this.prefixes[prefixHash(view.getInt32(at, true))]!
    return view.getUint8(at) >= 0xf0 ? lengths | 8 : lengths
  }

  /** Whether the two tokens can be neighbours: 1 or 0, or −1 when it is not known. */
  knownNeighbours(first: number, second: number): number {
    const slot = neighbourSlot(first, second)
    const answer = this.neighbours[slot + 1]!
    return this.neighbours[slot] === first + 1 && answer >> 1 === second ? answer & 1 : -1
  }

  keepNeighbours(first: number, second: number, can: boolean): void {
    const slot = neighbourSlot(first, second)
    this.neighbours[slot] = first + 1
    this.neighbours[slot + 1] = second * 2 + (can ? 1 : 0)
  }

  forgetNeighbours(): void {
    this.neighbours.fill(0)
  }

  hasSplit(rank: number): boolean {
    return this.splitsAbove[rank] !== UNKNOWN
  }

  keepSplit(rank: number, left: number, right: number): void {
    this.splits[rank * 2] = left
    this.splits[rank * 2 + 1] = right
    this.splitsAbove[rank] = ((left >> 16) << 4) | (right >> 16)
  }

  leftOf(rank: number): number {
    return this.splits[rank * 2]! | ((this.splitsAbove[rank]! >> 4) << 16)
  }

  rightOf(rank: number): number {
    return this.splits[rank * 2 + 1]! | ((this.splitsAbove[rank]! & 15) << 16)
  }

  /** Bytes of a token; empty for a rank without one. */
  bytesOf(rank: number): Uint8Array {
    return this.bytes.subarray(this.offsets[rank], this.offsets[rank]! + this.lengths[rank]!)
  }

  /** Puts the tokens of one part into the tables, long ones from `longAt` on. Returns where the next goes. */
  private unpack(part: RankData, data: Uint8Array, longAt: number): number {
    const view = new DataView(data.buffer)
    let from = part.count
    let to = longAt
    for (let rank = part.first; rank < part.first + part.count; rank++) {
      const length = this.lengths[rank]!
      if (length === 0) continue
      const low = view.getInt32(from, true) & LOW_MASKS[Math.min(length, 8)]!
      if (length > 2) this.prefixes[prefixHash(low)]! |= 1 << (length > 30 ? 31 : length)
      if (length <= SHORT_MOST) {
        this.insertShort(rank, low, view.getInt32(from + 4, true) & HIGH_MASKS[length]!, length)
        from += length
        continue
      }
      const hash = hashOf(view, from, length)
      this.view.setInt32(to, (rank << 8) | length, true)
      to += HEADER
      this.offsets[rank] = to
      // By hand, because a call of set costs more than moving so few.
      for (let left = length; left > 0; left--) this.bytes[to++] = data[from++]!
      let slot = hash & this.longMask
      while (this.long[slot] !== 0) slot = (slot + 1) & this.longMask
      this.long[slot] = ((hash >>> OFFSET_BITS) << OFFSET_BITS) | (to - length - this.longStart)
    }
    return to
  }

  private insertShort(rank: number, low: number, high: number, length: number): void {
    if (length === 1) this.singles[low] = rank
    else if (length === 2) this.pairs[((low & 255) << 8) | (low >> 8)] = rank
    let slot = shortHash(low, high) >>> this.shortShift
    while (this.short[slot * ENTRY + 2] !== 0) slot = (slot + 1) & this.shortMask
    this.short[slot * ENTRY] = low
    this.short[slot * ENTRY + 1] = high
    this.short[slot * ENTRY + 2] = (rank << 4) | length
    this.offsets[rank] = slot * ENTRY * 4
  }
}

/** Hash of the first three bytes; of four where a character of four begins, because many share their first three. */
function prefixHash(word: number): number {
  return Math.imul((word & 0xff) >= 0xf0 ? word : word & 0xffffff, 0x9e3779b1) >>> (32 - PREFIX_BITS)
}

/** Hash of at most 8 bytes; its upper bits are the good ones. */
export function shortHash(low: number, high: number): number {
  return Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1)
}

/** A 32-bit hash of a range of bytes, read four at a time. */
export function hashOf(view: DataView, start: number, length: number): number {
  let at = start
  let left = length
  let hash = length
  while (left > 4) {
    hash = Math.imul(hash ^ view.getInt32(at, true), 0x9e3779b1)
    hash ^= hash >>> 15
    at += 4
    left -= 4
  }
  hash = Math.imul(hash ^ (view.getInt32(at, true) & LOW_MASKS[left]!), 0x85ebca6b)
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
