/** What merging needs of a vocabulary. */
interface Ranks {
  /** Rank of the token with these bytes, or −1. */
  find(view: DataView, start: number, length: number): number
}

/** Longest range that can be merged, in bytes. No token is longer. */
const LONGEST = 128

const NONE = 0x7fffffff

/** Reused by every call: where the parts begin, and the rank of each part together with the next. */
const starts = new Int32Array(LONGEST + 2)
const ranks = new Int32Array(LONGEST + 2)

/**
 * Byte pair encoding by its definition: begins with single bytes, and always merges the two neighbours that together have
 * the lowest rank, the leftmost of equals, until no two neighbours are a token. Only ranks below `below` are merged.
 * Returns the number of tokens, and appends them to `out`.
 *
 * Example, o200k_base, `"hello"` below its own rank 24912: h e l l o → he l l o → he ll o → hell o. So `hello` is `hell` + `o`.
 *
 * The time grows with the square of the length, so this is used for short pieces and for single tokens, of at most 128 bytes.
 */
export function mergeBytes(
  vocabulary: Ranks,
  view: DataView,
  start: number,
  end: number,
  out?: number[],
  below = NONE,
): number {
  const rankOf = (from: number, to: number) => {
    const rank = vocabulary.find(view, from, to - from)
    return rank === -1 ? NONE : rank
  }
  let count = end - start
  for (let index = 0; index < count; index++) {
    starts[index] = start + index
    ranks[index] = index < count - 1 ? rankOf(start + index, start + index + 2) : NONE
  }
  starts[count] = end
  for (;;) {
    let lowest = below
    let at = -1
    for (let index = 0; index < count - 1; index++) {
      if (ranks[index]! >= lowest) continue
      lowest = ranks[index]!
      at = index
    }
    if (at === -1) break
    for (let index = at + 1; index < count; index++) {
      starts[index] = starts[index + 1]!
      ranks[index] = ranks[index + 1]!
    }
    count--
    ranks[at] = at + 1 < count ? rankOf(starts[at]!, starts[at + 2]!) : NONE
    if (at > 0) ranks[at - 1] = rankOf(starts[at - 1]!, starts[at + 1]!)
  }
  if (out !== undefined)
    for (let index = 0; index < count; index++) out.push(rankOf(starts[index]!, starts[index + 1]!))
  return count
}
