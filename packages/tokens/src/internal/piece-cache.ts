import { sameBytes } from "./rank-table"

const SLOTS = 1 << 14
const ARENA_BYTES = 1 << 19

/** Longest piece that is kept, in bytes. */
export const CACHED_MOST = 255

/** Short pieces' hashes are good in their upper bits only. */
function slotOf(hash: number): number {
  return ((hash ^ (hash >>> 16)) & (SLOTS - 1)) * 2
}

/**
 * Token counts of pieces, of a fixed size that no text can grow: a piece takes the slot that its hash names, and its
 * bytes go round in an arena. An entry counts only if the bytes it points at are the piece, so one that was overwritten
 * is a miss and never a wrong count.
 */
export class PieceCache {
  private readonly arena = new Uint8Array(ARENA_BYTES + CACHED_MOST + 8)
  private readonly view = new DataView(this.arena.buffer)
  /** Two numbers for each slot: where the bytes are, and length · 256 + count. */
  private readonly slots = new Int32Array(SLOTS * 2)
  private next = 0

  /** The count of the piece, or 0. */
  get(view: DataView, start: number, length: number, hash: number): number {
    const slot = slotOf(hash)
    const entry = this.slots[slot + 1]!
    if (entry >> 8 !== length || !sameBytes(this.view, this.slots[slot]!, view, start, length)) return 0
    return entry & 255
  }

  /** Keeps the count of a piece of at most `CACHED_MOST` bytes. */
  set(bytes: Uint8Array, start: number, length: number, hash: number, count: number): void {
    if (this.next + length > ARENA_BYTES) this.next = 0
    const at = this.next
    for (let index = 0; index < length; index++) this.arena[at + index] = bytes[start + index]!
    this.next += length
    const slot = slotOf(hash)
    this.slots[slot] = at
    this.slots[slot + 1] = length * 256 + count
  }

  clear(): void {
    this.slots.fill(0)
    this.next = 0
  }
}
