import { mergeExactly } from "./merge"
import type { RankTable } from "./rank-table"

/** Stack entries and flags that are kept between calls; longer pieces get their own. */
const KEPT = 1 << 14

const SPACE = 0x20
/** The least first byte of characters of four bytes: emoji and the rarer scripts. */
export const FOUR_BYTES = 0xf0

let keptStack: Int32Array | undefined
let keptBlocked: Uint8Array | undefined

/**
 * The same tokens as merging gives, found from left to right in near-linear time.
 *
 * A sequence of tokens is what merging gives if and only if every two neighbours are: merging works in the order of ranks,
 * so what happens at the border of two tokens depends on their own merges alone. That sequence is unique. It is found by
 * taking the longest token each time and going back where a neighbour does not fit; a place from which nothing fits is
 * marked, so that no place is tried twice.
 *
 * It holds for vocabularies in which every token is made by merging its bytes, of parts with lower ranks than its own. Runs
 * of white space in p50k_base are not, so they are merged; that is up to the caller. A sequence
 * is always found, because every byte is a token.
 */
export function matchPiece(table: RankTable, view: DataView, start: number, end: number, out?: number[]): number {
  const length = end - start
  keptStack ??= new Int32Array(KEPT)
  keptBlocked ??= new Uint8Array(KEPT + 1)
  const isShort = length <= KEPT
  const stack = isShort ? keptStack : new Int32Array(length)
  const blocked = isShort ? keptBlocked : new Uint8Array(length + 1)
  if (isShort) for (let index = 0; index <= length; index++) blocked[index] = 0
  let count = 0
  let at = start
  let found = longestToken(table, view, at, end - at)
  while (at < end) {
    if (found === -1) {
      blocked[at - start] = 1
      const length = table.lengths[stack[--count]!]!
      at -= length
      found = longestToken(table, view, at, length - 1)
      continue
    }
    const token = found >> 8
    const to = at + (found & 255)
    if (blocked[to - start] === 0 && (count === 0 || fits(table, view, stack[count - 1]!, token, at))) {
      stack[count++] = token
      at = to
      if (at < end) found = longestToken(table, view, at, end - at)
    } else found = longestToken(table, view, at, to - at - 1)
  }
  if (out !== undefined) for (let index = 0; index < count; index++) out.push(stack[index]!)
  return count
}

/** The longest token of at most `most` bytes at `at`, as rank · 256 + length; −1 when `most` is 0. */
function longestToken(table: RankTable, view: DataView, at: number, most: number): number {
  if (most > 2) {
    const lengths = table.lengthsAt(view, at)
    if (lengths < 0 && most > 30) {
      for (let length = Math.min(most, table.maxLength); length > 30; length--) {
        const rank = table.find(view, at, length)
        if (rank !== -1) return (rank << 8) | length
      }
    }
    let left = lengths & 0x7fffffff & (most >= 30 ? -1 : (2 << most) - 1)
    while (left !== 0) {
      const length = 31 - Math.clz32(left)
      const rank = table.find(view, at, length)
      if (rank !== -1) return (rank << 8) | length
      left ^= 1 << length
    }
  }
  if (most > 1) {
    const rank = table.pairs[view.getUint16(at)]!
    if (rank !== -1) return (rank << 8) | 2
  }
  return most > 0 ? (table.singles[view.getUint8(at)]! << 8) | 1 : -1
}

/** Whether merging leaves the border between two tokens alone, from memory if it can. */
function fits(table: RankTable, view: DataView, first: number, second: number, border: number): boolean {
  // In no vocabulary does a token go on from anything but a space into a character of four bytes; a test looks at all.
  if (view.getUint8(border) >= FOUR_BYTES && view.getUint8(border - 1) !== SPACE) return true
  const known = table.knownNeighbours(first, second)
  if (known !== -1) return known === 1
  const can = areNeighbours(table, view, first, second, border)
  table.keepNeighbours(first, second, can)
  return can
}

/**
 * Whether merging leaves the border between two tokens alone. Their merges are undone, the latest first; at each step the
 * parts at the border would have been merged if together they had a lower rank than what was undone.
 */
function areNeighbours(table: RankTable, view: DataView, first: number, second: number, border: number): boolean {
  const { lengths } = table
  let left = first
  let right = second
  let leftLength = lengths[left]!
  let rightLength = lengths[right]!
  let limit = 0x7fffffff
  for (;;) {
    const length = leftLength + rightLength
    if (length <= table.maxLength) {
      const rank =
        length === 2 ? table.pairs[view.getUint16(border - 1)]! : table.find(view, border - leftLength, length)
      if (rank !== -1 && rank < limit) return false
    }
    if (leftLength > 1 && (left > right || rightLength === 1)) {
      limit = left
      findSplit(table, left)
      left = table.rightOf(left)
      leftLength = lengths[left]!
    } else if (rightLength > 1) {
      // Of two merges with the same rank the left one comes first, so here the border's would.
      limit = right + 1
      findSplit(table, right)
      right = table.leftOf(right)
      rightLength = lengths[right]!
    } else return true
  }
}

/** Finds the two parts of which merging makes a token, once. */
function findSplit(table: RankTable, rank: number): void {
  if (table.hasSplit(rank)) return
  const start = table.offsets[rank]!
  const parts: number[] = []
  mergeExactly(table, table.view, start, start + table.lengths[rank]!, parts, rank)
  // Every token of every vocabulary has two; a test looks at all of them.
  table.keepSplit(rank, parts[0]!, parts[1]!)
}
