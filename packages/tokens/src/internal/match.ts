import { mergeExactly } from "./merge"
import { type RankTable, UNKNOWN } from "./rank-table"

/** Stack entries and flags that are kept between calls; longer pieces get their own. */
const KEPT = 1 << 14

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
 * It holds for vocabularies in which a token's parts have lower ranks than the token. Runs of white space in p50k_base
 * have not, so they are merged; that is up to the caller. −1 when no sequence fits.
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
  let token = longestToken(table, view, at, end - at)
  while (at < end) {
    if (token === -1) {
      if (count === 0) return -1
      blocked[at - start] = 1
      const last = stack[--count]!
      at -= table.lengthOf(last)
      token = longestToken(table, view, at, table.lengthOf(last) - 1)
      continue
    }
    const to = at + table.lengthOf(token)
    if (blocked[to - start] === 0 && (count === 0 || fits(table, view, stack[count - 1]!, token, at))) {
      stack[count++] = token
      at = to
      if (at < end) token = longestToken(table, view, at, end - at)
    } else token = longestToken(table, view, at, to - at - 1)
  }
  if (out !== undefined) for (let index = 0; index < count; index++) out.push(stack[index]!)
  return count
}

/** The longest token that merging can give, of at most `most` bytes at `at`; −1 when `most` is 0. */
function longestToken(table: RankTable, view: DataView, at: number, most: number): number {
  if (most > 2) {
    const lengths = table.lengthsAt(view, at)
    if (lengths < 0 && most > 30) {
      for (let length = Math.min(most, table.maxLength); length > 30; length--) {
        const rank = table.find(view, at, length)
        if (rank !== -1 && splitOf(table, rank)) return rank
      }
    }
    let left = lengths & 0x7fffffff & (most >= 30 ? -1 : (2 << most) - 1)
    while (left !== 0) {
      const length = 31 - Math.clz32(left)
      const rank = table.find(view, at, length)
      if (rank !== -1 && splitOf(table, rank)) return rank
      left ^= 1 << length
    }
  }
  if (most > 1) {
    const rank = table.pairs[view.getUint16(at)]!
    if (rank !== -1 && splitOf(table, rank)) return rank
  }
  return most > 0 ? table.singles[view.getUint8(at)]! : -1
}

/** Whether merging leaves the border between two tokens alone, from memory if it can. */
function fits(table: RankTable, view: DataView, first: number, second: number, border: number): boolean {
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
  const { splits } = table
  let left = first
  let right = second
  let leftLength = table.lengthOf(left)
  let rightLength = table.lengthOf(right)
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
      left = splits[left * 2 + 1]!
      leftLength = table.lengthOf(left)
      splitOf(table, left)
    } else if (rightLength > 1) {
      // Of two merges with the same rank the left one comes first, so here the border's would.
      limit = right + 1
      right = splits[right * 2]!
      rightLength = table.lengthOf(right)
      splitOf(table, right)
    } else return true
  }
}

/** Finds the two parts of which merging makes a token, once; false when it never makes it. */
function splitOf(table: RankTable, rank: number): boolean {
  const { splits } = table
  if (splits[rank * 2] === UNKNOWN) findSplit(table, rank)
  return splits[rank * 2]! >= 0
}

function findSplit(table: RankTable, rank: number): void {
  const { splits, view, offsets } = table
  const start = offsets[rank]!
  const end = start + table.lengthOf(rank)
  if (end - start === 1) {
    splits[rank * 2] = rank
    splits[rank * 2 + 1] = rank
    return
  }
  const parts: number[] = []
  mergeExactly(table, view, start, end, parts, rank)
  splits[rank * 2] = parts.length === 2 ? parts[0]! : -1
  splits[rank * 2 + 1] = parts.length === 2 ? parts[1]! : -1
}
