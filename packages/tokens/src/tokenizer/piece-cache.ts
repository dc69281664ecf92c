import { hashOf, sameBytes } from "./vocabulary"

const SLOT_BITS = 16

/** A slot has four numbers: the first 8 bytes of the piece as two words, length · 256 + count, and the position of its other bytes. */
const SLOT = 4

const BUFFER_BYTES = 1 << 19

/** The cache is cleared at this position, so that positions stay 32-bit integers. */
const LAST_POSITION = 1 << 30

/** Longest piece that is kept, in bytes. */
const LONGEST = 255

/** Masks for the first and the second word of at most 8 bytes, by the number of bytes. */
const LOW_MASKS = /* @__PURE__ */ Int32Array.of(0, 0xff, 0xffff, 0xffffff, -1, -1, -1, -1, -1)
const HIGH_MASKS = /* @__PURE__ */ Int32Array.of(0, 0, 0, 0, 0, 0xff, 0xffff, 0xffffff, -1)

/**
 * Caches the token counts of pieces, so that a word is not counted again at every occurrence. Its size is fixed: the
 * hash of a piece selects its slot, and the bytes after its first 8 are in a ring buffer. No other cache contains text: that of
 * `BacktrackingMatcher` contains pairs of tokens.
 *
 * Example, o200k_base: `"strawberries"` has 3 tokens. `count` calls `compute` once and keeps the result until another piece
 * takes the slot or the ring buffer wraps around. All bytes are compared, and overwritten bytes are never read, so an entry
 * can be lost but never wrong.
 *
 * Without the cache, repeated text is counted at 0.4 (Chinese, Japanese, Russian) to 0.8 of the speed (bench/run.mjs).
 */
export class PieceCache {
  readonly #slots = new Int32Array(SLOT << SLOT_BITS)
  readonly #view = new DataView(new ArrayBuffer(BUFFER_BYTES + 8))
  /** Bytes written since the cache was cleared, which is the position of the next byte. */
  #written = 0

  /** Returns the count of the piece from `start` to `end`, from the cache or from `compute`. */
  count(
    view: DataView,
    start: number,
    end: number,
    compute: (view: DataView, start: number, end: number) => number,
  ): number {
    const length = end - start
    if (length > LONGEST) return compute(view, start, end)
    const isShort = length <= 8
    const low = view.getInt32(start, true) & LOW_MASKS[isShort ? length : 8]!
    const high = view.getInt32(start + 4, true) & HIGH_MASKS[isShort ? length : 8]!
    const hash = isShort ? shortHash(low, high) : hashOf(view, start, length)
    const slots = this.#slots
    const slot = (hash >>> (32 - SLOT_BITS)) * SLOT
    const entry = slots[slot + 2]!
    if (
      slots[slot] === low &&
      slots[slot + 1] === high &&
      entry >> 8 === length &&
      (isShort || this.#hasBytes(slots[slot + 3]!, view, start + 8, length - 8))
    )
      return entry & 255
    const count = compute(view, start, end)
    const position = isShort ? 0 : this.#write(view, start + 8, end)
    slots[slot] = low
    slots[slot + 1] = high
    slots[slot + 2] = length * 256 + count
    slots[slot + 3] = position
    return count
  }

  /** Removes every piece. */
  clear(): void {
    this.#slots.fill(0)
    this.#written = 0
  }

  #hasBytes(position: number, view: DataView, start: number, length: number): boolean {
    const isOverwritten = this.#written - position > BUFFER_BYTES
    return !isOverwritten && sameBytes(this.#view, position % BUFFER_BYTES, view, start, length)
  }

  /** Writes the bytes to the ring buffer, and returns their position. */
  #write(view: DataView, start: number, end: number): number {
    let position = this.#written
    const free = BUFFER_BYTES - (position % BUFFER_BYTES)
    if (end - start > free) position += free
    if (position > LAST_POSITION) {
      this.clear()
      position = 0
    }
    const offset = position % BUFFER_BYTES
    for (let index = 0; start + index < end; index++) this.#view.setUint8(offset + index, view.getUint8(start + index))
    this.#written = position + end - start
    return position
  }
}

/** Hashes up to 8 bytes, given as two words. Only the upper bits are well distributed. */
function shortHash(low: number, high: number): number {
  return Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1)
}
