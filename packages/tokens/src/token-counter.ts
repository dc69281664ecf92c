import { InvalidArgumentError } from "@p2/core"
import type { Encoding } from "./encoding"
import { BLOCK_CHARS, isBetweenHalves, Utf8Buffer } from "./internal/utf8-blocks"

/** Counts text that arrives in pieces, wherever it was cut. */
export interface TokenCounter {
  /** Appends a piece of text. */
  add(text: string): void
  /**
   * Tokens of everything that was added, as if it had been one text. Reading it counts the end that may still change, so
   * that reading it after every small piece costs the square of a run without a place to cut.
   */
  readonly tokens: number
  /** Begins again with no text. */
  reset(): void
}

/**
 * A counter for one text. It keeps only the end that may still change: usually a word, at most the longest run without
 * a place to cut.
 */
export function createCounter(encoding: Encoding): TokenCounter {
  const tokenizer = encoding.tokenizer()
  const pending = new Utf8Buffer(256)
  /** Tokens before `pending`. */
  let settled = 0
  /** First half of a surrogate pair whose second may come with the next piece. */
  let half = ""
  let known: number | undefined = 0

  function append(text: string): void {
    const unseen = pending.length
    pending.append(text)
    const cut = tokenizer.cut(pending.bytes, Math.max(unseen - 8, 0), pending.length)
    if (cut <= 0) return
    settled += tokenizer.count(pending.bytes, pending.view, 0, cut, Number.POSITIVE_INFINITY)
    pending.drop(cut)
  }

  function add(text: string): void {
    if (typeof text !== "string") throw new InvalidArgumentError("text", "a string", text)
    if (text === "") return
    known = undefined
    let whole = half + text
    half = ""
    if ((whole.charCodeAt(whole.length - 1) & 0xfc00) === 0xd800) {
      half = whole.slice(-1)
      whole = whole.slice(0, -1)
    }
    for (let from = 0; from < whole.length; ) {
      let to = Math.min(whole.length, from + BLOCK_CHARS)
      if (isBetweenHalves(whole, to)) to--
      append(whole.substring(from, to))
      from = to
    }
  }

  function countPending(): number {
    const tail = new Utf8Buffer(pending.length + 3)
    tail.bytes.set(pending.bytes.subarray(0, pending.length))
    tail.length = pending.length
    tail.append(half)
    return tokenizer.count(tail.bytes, tail.view, 0, tail.length, Number.POSITIVE_INFINITY)
  }

  return {
    add,
    get tokens() {
      known ??= settled + countPending()
      return known
    },
    reset() {
      pending.drop(pending.length)
      settled = 0
      half = ""
      known = 0
    },
  }
}
