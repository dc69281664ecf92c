import { mergeExactly, NONE, rankOf, SCAN_MOST } from "./merge"
import type { RankTable } from "./rank-table"

/**
 * Merges the bytes of a piece of any length, with a heap of pairs, in O(n log n). By itself, because only runs of white space
 * in p50k_base need it: others are matched.
 */
export function mergeAnyLength(table: RankTable, view: DataView, start: number, end: number, out?: number[]): number {
  if (end - start <= SCAN_MOST) return mergeExactly(table, view, start, end, out)
  const length = end - start
  const next = new Int32Array(length + 1)
  const previous = new Int32Array(length + 1)
  const pairRanks = new Int32Array(length + 1).fill(NONE)
  const heap = new PairHeap(length)
  for (let index = 0; index < length; index++) {
    next[index] = index + 1
    previous[index] = index - 1
    if (index === length - 1) break
    const rank = rankOf(table, view, start + index, start + index + 2)
    pairRanks[index] = rank
    if (rank !== NONE) heap.push(rank, index)
  }
  let count = length
  const refresh = (index: number) => {
    const middle = next[index]!
    const rank = middle < length ? rankOf(table, view, start + index, start + next[middle]!) : NONE
    if (rank === pairRanks[index]) return
    pairRanks[index] = rank
    if (rank !== NONE) heap.push(rank, index)
  }
  for (let index = heap.pop(pairRanks); index !== -1; index = heap.pop(pairRanks)) {
    const gone = next[index]!
    const after = next[gone]!
    pairRanks[gone] = NONE
    next[index] = after
    if (after < length) previous[after] = index
    count--
    pairRanks[index] = NONE
    refresh(index)
    if (previous[index]! >= 0) refresh(previous[index]!)
  }
  if (out !== undefined)
    for (let index = 0; index < length; index = next[index]!)
      out.push(table.find(view, start + index, next[index]! - index))
  return count
}

/** Positions by rank, then by place; entries that no longer hold are passed over. */
class PairHeap {
  /** rank · 2^32 + position: both are exact in a double. */
  private keys: Float64Array
  private size = 0

  constructor(capacity: number) {
    this.keys = new Float64Array(capacity + 1)
  }

  push(rank: number, position: number): void {
    if (this.size === this.keys.length) {
      const larger = new Float64Array(this.keys.length * 2)
      larger.set(this.keys)
      this.keys = larger
    }
    const key = rank * 2 ** 32 + position
    let at = this.size++
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (this.keys[parent]! <= key) break
      this.keys[at] = this.keys[parent]!
      at = parent
    }
    this.keys[at] = key
  }

  /** The position of the lowest pair that still has the rank it was pushed with, or −1. */
  pop(pairRanks: Int32Array): number {
    while (this.size > 0) {
      const key = this.keys[0]!
      this.removeFirst()
      const rank = Math.floor(key / 2 ** 32)
      const position = key - rank * 2 ** 32
      if (pairRanks[position] === rank) return position
    }
    return -1
  }

  private removeFirst(): void {
    const { keys } = this
    const key = keys[--this.size]!
    let at = 0
    for (;;) {
      let child = at * 2 + 1
      if (child >= this.size) break
      if (child + 1 < this.size && keys[child + 1]! < keys[child]!) child++
      if (keys[child]! >= key) break
      keys[at] = keys[child]!
      at = child
    }
    keys[at] = key
  }
}
