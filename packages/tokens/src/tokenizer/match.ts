import type { Vocabulary } from "./vocabulary"

const SPACE = 0x20

/** The lowest first byte of four-byte characters: emoji and rare scripts. */
export const FOUR_BYTES = 0xf0

/** The cache of compatible tokens has 2^13 slots. */
const CACHE_BITS = 13

/** Pieces up to this length reuse the same arrays. */
const REUSED = 1 << 14

/**
 * Finds the tokens of a piece from left to right, in near-linear time. The result equals that of {@link mergeBytes}.
 *
 * Example, o200k_base, `"strawberries"`. The longest token at the start is `stra`, but no compatible token follows it, because
 * merging joins `raw` (rank 1618) before `stra` (rank 14867). No compatible token follows `str` either. After `st`, `raw` is
 * compatible, and `berries` after that: st raw berries.
 *
 * Why the result is the same: merging follows the ranks, so what happens at the border of two tokens depends on these two
 * alone. Two tokens are compatible if merging their bytes gives these two tokens again. A sequence of tokens is the result
 * of merging if and only if all neighbors are compatible, and exactly one such sequence exists. The matcher takes the
 * longest compatible token at each position and backtracks if there is none. A position from which no sequence reaches the
 * end is marked as blocked, so that no position is visited twice.
 *
 * This requires that merging the bytes of every token gives that token; a test checks all vocabularies.
 */
export class BacktrackingMatcher {
  readonly #vocabulary: Vocabulary
  /** Cache of `#longestCompatible`, three numbers per slot: the previous token plus 1, the token, and the result. */
  readonly #cache = new Int32Array(3 << CACHE_BITS)
  readonly #tokens = new Int32Array(REUSED)
  readonly #blocked = new Uint8Array(REUSED + 1)

  /** Results of `#leftOf` by rank, plus 1; 0 if not computed yet. */
  readonly #left: Int32Array

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary
    this.#left = new Int32Array(vocabulary.size)
  }

  /** Returns the number of tokens from `start` to `end`, and appends them to `out`. */
  match(view: DataView, start: number, end: number, out?: number[]): number {
    const vocabulary = this.#vocabulary
    const { lengths } = vocabulary
    const length = end - start
    const tokens = length <= REUSED ? this.#tokens : new Int32Array(length)
    const blocked = length <= REUSED ? this.#blocked : new Uint8Array(length + 1)
    if (length <= REUSED) for (let index = 0; index <= length; index++) blocked[index] = 0
    let count = 0
    let at = start
    /** The longest token at this position that was not tried yet; −1 if there is none. */
    let token = vocabulary.longestAt(view, at, end - at)
    while (at < end) {
      if (count > 0) token = this.#longestCompatible(view, tokens[count - 1]!, token, at)
      if (token === -1) {
        blocked[at - start] = 1
        token = tokens[--count]!
        at -= lengths[token]!
        token = vocabulary.shorter(token)
        continue
      }
      const to = at + lengths[token]!
      if (blocked[to - start] === 1) {
        token = vocabulary.shorter(token)
        continue
      }
      tokens[count++] = token
      at = to
      if (at < end) token = vocabulary.longestAt(view, at, end - at)
    }
    if (out !== undefined) for (let index = 0; index < count; index++) out.push(tokens[index]!)
    return count
  }

  /** Clears the cache. */
  clear(): void {
    this.#cache.fill(0)
  }

  /**
   * Returns `token`, or its longest prefix that is a token compatible with `previous`; −1 if there is none. Results are cached,
   * because the comparison takes a fifth of the time for Chinese and Japanese, and most of it for a long run of one
   * character (bench/run.mjs).
   */
  #longestCompatible(view: DataView, previous: number, token: number, border: number): number {
    // In no vocabulary does a token contain a four-byte character after anything but a space; a test checks all of them.
    if (token === -1 || (view.getUint8(border) >= FOUR_BYTES && view.getUint8(border - 1) !== SPACE)) return token
    const slot = (Math.imul(Math.imul(previous, 0x9e3779b1) ^ token, 0x85ebca6b) >>> (32 - CACHE_BITS)) * 3
    if (this.#cache[slot] === previous + 1 && this.#cache[slot + 1] === token) return this.#cache[slot + 2]!
    let result = token
    while (result !== -1 && !this.#areCompatible(view, previous, result, border))
      result = this.#vocabulary.shorter(result)
    this.#cache[slot] = previous + 1
    this.#cache[slot + 1] = token
    this.#cache[slot + 2] = result
    return result
  }

  /**
   * Whether merging the bytes of two adjacent tokens gives these two tokens again. Undoes their merges from the last to the
   * first: the higher rank was merged later. After each step it looks at the two parts that touch at the border. If they form
   * a token whose rank is below that of the merge just undone, merging would have joined them first, across the border.
   *
   * Example, o200k_base, `stra` and `w`: undoing `stra` (rank 14867) leaves `ra` at the border. `ra` and `w` form `raw`
   * (rank 1618), which is merged before `stra`, so the two are not compatible.
   */
  #areCompatible(view: DataView, first: number, second: number, border: number): boolean {
    const vocabulary = this.#vocabulary
    const { lengths } = vocabulary
    let left = first
    let right = second
    /** A merge across the border comes first if its rank is below this. */
    let limit = vocabulary.size
    for (;;) {
      const across = vocabulary.find(view, border - lengths[left]!, lengths[left]! + lengths[right]!)
      if (across !== -1 && across < limit) return false
      const canUndoLeft = lengths[left]! > 1
      const canUndoRight = lengths[right]! > 1
      if (canUndoLeft && (left > right || !canUndoRight)) {
        limit = left
        left = this.#rightOf(left)
      } else if (canUndoRight) {
        // The leftmost of two merges with the same rank comes first, so an equal rank across the border does too.
        limit = right + 1
        right = this.#leftOf(right)
      } else return true
    }
  }

  /** The left of the two tokens that the last merge joins into this token: `hell` for `hello`. */
  #leftOf(rank: number): number {
    if (this.#left[rank] === 0) {
      const { view, offsets, lengths } = this.#vocabulary
      const parts: number[] = []
      // Every token of every vocabulary has exactly two parts; a test checks all of them.
      mergeBytes(this.#vocabulary, view, offsets[rank]!, offsets[rank]! + lengths[rank]!, parts, rank)
      this.#left[rank] = parts[0]! + 1
    }
    return this.#left[rank]! - 1
  }

  /** The right of the two tokens: `o` for `hello`. */
  #rightOf(rank: number): number {
    const { view, offsets, lengths } = this.#vocabulary
    const leftLength = lengths[this.#leftOf(rank)]!
    return this.#vocabulary.find(view, offsets[rank]! + leftLength, lengths[rank]! - leftLength)
  }
}

/** Maximum length of a range that can be merged, in bytes. No token is longer. */
const LONGEST_RANGE = 128

const NONE = 0x7fffffff

/** Reused by every call: where the parts begin, and the rank of each part together with the next. */
const starts = new Int32Array(LONGEST_RANGE + 2)
const ranks = new Int32Array(LONGEST_RANGE + 2)

/**
 * Byte pair encoding by its definition: starts with single bytes, and repeatedly merges the two neighbors that form the token
 * with the lowest rank, the leftmost first, until no two neighbors form a token. Merges only ranks below `below`.
 * Returns the number of tokens, and appends them to `out`.
 *
 * Example, o200k_base, `"hello"` below its own rank 24912: h e l l o → he l l o → he ll o → hell o. So `hello` is `hell` + `o`.
 *
 * The time grows with the square of the length, so this is used for short pieces and for single tokens, of at most 128 bytes.
 */
export function mergeBytes(
  vocabulary: Vocabulary,
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
