import { decodeRankData, type RankData } from "./rank-data"

/** Masks that keep the first `index` bytes of a little-endian word. */
const MASKS = Int32Array.of(0, 0xff, 0xffff, 0xffffff, -1)

/** An offset takes this many bits of a slot, the rest is part of the hash; no vocabulary has more bytes. */
const OFFSET_BITS = 22

/** Bytes before those of each token: its length in the first, its rank in the others. */
const HEADER = 4

/** A split that was not looked for yet. */
export const UNKNOWN = -2

/** Bits of the hash of a token's first bytes. */
const PREFIX_BITS = 17

/** Bits of the slots for pairs of tokens. */
const NEIGHBOUR_BITS = 13

function neighbourSlot(first: number, second: number): number {
  return (Math.imul(Math.imul(first, 0x9e3779b1) ^ second, 0x85ebca6b) >>> (32 - NEIGHBOUR_BITS)) * 2
}

/**
 * A vocabulary as integers: an open-addressed table of the places of tokens by the hash of their bytes. A hit is a hit only
 * after the bytes were compared; length and rank stand before them, so that a search touches memory in two places only. Ranges that are looked up must be followed by at least 8 more bytes in their buffer.
 */
export class RankTable {
  /** One more than the highest rank. */
  readonly size: number
  /** Length of the longest token in bytes. */
  readonly maxLength: number
  /** Bytes of all tokens in the order of their ranks, each after its header. */
  readonly bytes: Uint8Array
  readonly view: DataView
  /** Where each token's bytes begin. */
  readonly offsets: Int32Array
  /** Ranks of all tokens of two bytes, by first · 256 + second; −1 where there is none. */
  readonly pairs: Int32Array
  /** Ranks of the single bytes. */
  readonly singles: Int32Array
  /** The two parts of each token by 2 · rank; `UNKNOWN` at first, −1 for tokens that merging never gives. */
  readonly splits: Int32Array
  /**
   * What was found out about two tokens as neighbours, two numbers for each slot: the first token + 1, so that 0 is none,
   * and the second · 2, plus 1 if merging leaves their border alone.
   */
  private readonly neighbours = new Int32Array(2 << NEIGHBOUR_BITS)
  /** Lengths of the tokens that begin with the same bytes, as bits; bit 31 for all above 30. */
  private readonly lengths = new Int32Array(1 << PREFIX_BITS)
  private readonly slots: Int32Array
  private readonly slotMask: number

  constructor(parts: readonly RankData[]) {
    const last = parts[parts.length - 1]!
    this.size = last.first + last.count
    this.bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.size + part.count * (HEADER - 1), 8))
    this.view = new DataView(this.bytes.buffer)
    this.offsets = new Int32Array(this.size)
    this.maxLength = this.unpack(parts)
    // Between a quarter and a half of the slots are taken.
    const slotCount = 2 ** Math.ceil(Math.log2(this.size * 2))
    this.slots = new Int32Array(slotCount)
    this.splits = new Int32Array(this.size * 2).fill(UNKNOWN)
    this.slotMask = slotCount - 1
    this.pairs = new Int32Array(65536).fill(-1)
    this.singles = new Int32Array(256).fill(-1)
    for (let rank = 0; rank < this.size; rank++) this.insert(rank)
  }

  /** Rank of the token with these bytes, or −1. */
  find(view: DataView, start: number, length: number): number {
    return this.findHashed(view, start, length, hashOf(view, start, length))
  }

  /** The same when the hash is known. */
  findHashed(view: DataView, start: number, length: number, hash: number): number {
    let slot = hash & this.slotMask
    for (;;) {
      const entry = this.slots[slot]!
      if (entry === 0) return -1
      if ((entry ^ hash) >>> OFFSET_BITS === 0) {
        const offset = entry & ((1 << OFFSET_BITS) - 1)
        const header = this.view.getInt32(offset - HEADER, true)
        if ((header & 0xff) === length && sameBytes(this.view, offset, view, start, length)) return header >> 8
      }
      slot = (slot + 1) & this.slotMask
    }
  }

  /** Bits of the lengths that tokens of three bytes and more which begin at `at` may have; bit 31 for all above 30. */
  lengthsAt(view: DataView, at: number): number {
    const lengths = this.lengths[prefixHash(view, at)]!
    return view.getUint8(at) >= 0xf0 ? lengths | 8 : lengths
  }

  lengthOf(rank: number): number {
    return this.bytes[this.offsets[rank]! - HEADER]!
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

  /** Bytes of a token; empty for a rank without one. */
  bytesOf(rank: number): Uint8Array {
    return this.bytes.subarray(this.offsets[rank], this.offsets[rank]! + this.lengthOf(rank))
  }

  private unpack(parts: readonly RankData[]): number {
    let to = 0
    let longest = 0
    for (const part of parts) {
      const data = decodeRankData(part)
      let from = part.count
      for (let index = 0; index < part.count; index++) {
        const length = data[index]!
        this.view.setInt32(to, ((part.first + index) << 8) | length, true)
        to += HEADER
        this.offsets[part.first + index] = to
        // By hand, because a call of set costs more than moving so few.
        for (let left = length; left > 0; left--) this.bytes[to++] = data[from++]!
        if (length > longest) longest = length
      }
    }
    return longest
  }

  private insert(rank: number): void {
    const offset = this.offsets[rank]!
    const length = this.bytes[offset - HEADER]!
    if (length === 0) return
    if (length === 1) this.singles[this.bytes[offset]!] = rank
    if (length === 2) this.pairs[this.bytes[offset]! * 256 + this.bytes[offset + 1]!] = rank
    if (length > 2) this.lengths[prefixHash(this.view, offset)]! |= 1 << (length > 30 ? 31 : length)
    const hash = hashOf(this.view, offset, length)
    let slot = hash & this.slotMask
    while (this.slots[slot] !== 0) slot = (slot + 1) & this.slotMask
    this.slots[slot] = ((hash >>> OFFSET_BITS) << OFFSET_BITS) | offset
  }
}

/** Hash of the first three bytes; of four where a character of four begins, because many share their first three. */
function prefixHash(view: DataView, at: number): number {
  const word = view.getInt32(at, true)
  return Math.imul((word & 0xff) >= 0xf0 ? word : word & 0xffffff, 0x9e3779b1) >>> (32 - PREFIX_BITS)
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
  hash = Math.imul(hash ^ (view.getInt32(at, true) & MASKS[left]!), 0x85ebca6b)
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
