import type { RankTable } from "./rank-table"

/** Stands for a pair that is no token. */
export const NONE = 0x7fffffff

/** Longest piece that is merged by looking for the lowest rank again after every merge; no token is longer. */
export const SCAN_MOST = 160

/** Reused by every short merge: where the parts begin, and the rank of each part with the next. */
const starts = new Int32Array(SCAN_MOST + 2)
const ranks = new Int32Array(SCAN_MOST + 2)

/** Rank of two neighbouring parts together, or `NONE`. */
export function rankOf(table: RankTable, view: DataView, start: number, end: number): number {
  const length = end - start
  if (length > table.maxLength) return NONE
  const rank = length === 2 ? table.pairs[view.getUint16(start)]! : table.find(view, start, length)
  return rank === -1 ? NONE : rank
}

/**
 * Merges the at most `SCAN_MOST` bytes from `start` to `end` as byte pair encoding does: always the pair with the lowest rank, the leftmost
 * of equals. Only ranks below `below` are merged. Returns the number of tokens, and appends their ranks to `out`.
 */
export function mergeExactly(
  table: RankTable,
  view: DataView,
  start: number,
  end: number,
  out?: number[],
  below = NONE,
): number {
  let count = end - start
  for (let index = 0; index < count; index++) {
    starts[index] = start + index
    ranks[index] = index < count - 1 ? rankOf(table, view, start + index, start + index + 2) : NONE
  }
  starts[count] = end
  for (;;) {
    let lowest = below
    let at = -1
    for (let index = 0; index < count - 1; index++) {
      if (ranks[index]! < lowest) {
        lowest = ranks[index]!
        at = index
      }
    }
    if (at === -1) break
    // By hand, because a call of copyWithin costs more than moving so few.
    for (let index = at + 1; index < count; index++) {
      starts[index] = starts[index + 1]!
      ranks[index] = ranks[index + 1]!
    }
    count--
    ranks[at] = at + 2 <= count ? rankOf(table, view, starts[at]!, starts[at + 2]!) : NONE
    if (at > 0) ranks[at - 1] = rankOf(table, view, starts[at - 1]!, starts[at + 1]!)
  }
  if (out !== undefined)
    for (let index = 0; index < count; index++)
      out.push(table.find(view, starts[index]!, starts[index + 1]! - starts[index]!))
  return count
}
