import type { Vocabulary } from "./vocabulary"

const SPACE = 0x20

/** The least first byte of characters of four bytes: emoji and the rarer scripts. */
export const FOUR_BYTES = 0xf0

const REMEMBERED_BITS = 13

/** Pieces up to this length reuse the same arrays. */
const REUSED = 1 << 14

/**
 * Finds the tokens of a piece from left to right, in near-linear time: the same tokens as merging gives (see {@link mergeBytes}).
 *
 * Example, o200k_base, `"strawberries"`. The longest token at the start is `stra`, but nothing compatible follows: merging
 * joins `raw` (rank 1618) before it could join `stra` (rank 14867). Nor after the next shorter one, `str`. After `st`, `raw`
 * is compatible, and then `berries`: st raw berries.
 *
 * Why it is the same: merging goes by ranks, so what happens at the border of two tokens depends on these two alone. Call
 * two tokens compatible when merging their bytes gives these two tokens again. A sequence of tokens is what merging gives
 * if and only if every two neighbours are compatible, and exactly one such sequence exists. It is found by taking the longest
 * compatible token each time, and by going back where none is; a place from which no sequence reaches the end is marked as
 * blocked, so that no place is visited twice.
 *
 * This holds for vocabularies in which merging the bytes of every token gives that token; a test checks all of them.
 */
export class Matcher {
  readonly #vocabulary: Vocabulary
  /** Results of `#longestCompatible`, three numbers each: the previous token plus 1, the token, and the result. */
  readonly #remembered = new Int32Array(3 << REMEMBERED_BITS)
  readonly #tokens = new Int32Array(REUSED)
  readonly #blocked = new Uint8Array(REUSED + 1)

  /** Results of `left` by rank, plus 1; 0 is not computed yet. */
  readonly #left: Int32Array

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary
    this.#left = new Int32Array(vocabulary.size)
  }

  /** Number of tokens from `start` to `end`; appends them to `out`. */
  match(view: DataView, start: number, end: number, out?: number[]): number {
    const vocabulary = this.#vocabulary
    const { lengths } = vocabulary
    const length = end - start
    const tokens = length <= REUSED ? this.#tokens : new Int32Array(length)
    const blocked = length <= REUSED ? this.#blocked : new Uint8Array(length + 1)
    if (length <= REUSED) for (let index = 0; index <= length; index++) blocked[index] = 0
    let count = 0
    let at = start
    /** The longest token here that was not tried yet; −1 when there is none. */
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

  /** Forgets what was remembered. */
  clear(): void {
    this.#remembered.fill(0)
  }

  /**
   * The longest of `token` and the shorter tokens that it begins with that is compatible with the token before it; −1 if none
   * is. Remembered, because comparing takes a fifth of the time for Chinese and Japanese, and most of it for a long
   * run of one sign (bench/run.mjs).
   */
  #longestCompatible(view: DataView, previous: number, token: number, border: number): number {
    // In no vocabulary does a token go on from anything but a space into a character of four bytes; a test checks all.
    if (token === -1 || (view.getUint8(border) >= FOUR_BYTES && view.getUint8(border - 1) !== SPACE)) return token
    const slot = (Math.imul(Math.imul(previous, 0x9e3779b1) ^ token, 0x85ebca6b) >>> (32 - REMEMBERED_BITS)) * 3
    if (this.#remembered[slot] === previous + 1 && this.#remembered[slot + 1] === token)
      return this.#remembered[slot + 2]!
    let result = token
    while (result !== -1 && !this.#areCompatible(view, previous, result, border))
      result = this.#vocabulary.shorter(result)
    this.#remembered[slot] = previous + 1
    this.#remembered[slot + 1] = token
    this.#remembered[slot + 2] = result
    return result
  }

  /**
   * Whether merging the bytes of two tokens gives these two again. Their merges are undone, the latest first; at each step,
   * the parts at the border would have been merged if together they had a lower rank than the merge that was undone.
   */
  #areCompatible(view: DataView, first: number, second: number, border: number): boolean {
    const vocabulary = this.#vocabulary
    const { lengths } = vocabulary
    let left = first
    let right = second
    let limit = vocabulary.size
    for (;;) {
      const rank = vocabulary.find(view, border - lengths[left]!, lengths[left]! + lengths[right]!)
      if (rank !== -1 && rank < limit) return false
      if (lengths[left]! > 1 && (left > right || lengths[right] === 1)) {
        limit = left
        left = this.#rightOf(left)
      } else if (lengths[right]! > 1) {
        // Of two merges with the same rank the left one comes first, so here the border's would.
        limit = right + 1
        right = this.#leftOf(right)
      } else return true
    }
  }

  /** The left one of the two tokens that the last merge makes this token of: `hell` for `hello`. */
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

  /** The right one of the two tokens: `o` for `hello`. */
  #rightOf(rank: number): number {
    const { view, offsets, lengths } = this.#vocabulary
    const leftLength = lengths[this.#leftOf(rank)]!
    return this.#vocabulary.find(view, offsets[rank]! + leftLength, lengths[rank]! - leftLength)
  }
}

/** Longest range that can be merged, in bytes. No token is longer. */
const LONGEST_RANGE = 128

const NONE = 0x7fffffff

/** Reused by every call: where the parts begin, and the rank of each part together with the next. */
const starts = new Int32Array(LONGEST_RANGE + 2)
const ranks = new Int32Array(LONGEST_RANGE + 2)

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
