import type { Tokenizer } from "../tokenizer/tokenizer"
import { checkText } from "./count-text"
import { BLOCK_CHARS, isInsideSurrogatePair, Utf8Buffer } from "./utf8-blocks"

/**
 * How tokens are counted: `exact` with the model's own encoding, `estimate` or `upperBound` for a model whose tokenizer is
 * not public.
 */
export type CountBasis = "exact" | "estimate" | "upperBound"

/** Counts text that arrives in pieces, which may be split anywhere. */
export interface TokenCounter {
  /** Whether `tokens` is exact, an estimate or an upper bound. */
  readonly basis: CountBasis
  /** Appends a piece of text. @throws InvalidArgumentError if it is not a string */
  add(text: string): void
  /**
   * Number of tokens in the concatenation of all pieces. Each read counts the tail that may still change: usually a word, at
   * most the longest run without white space. With untrusted text, read it once at the end, not after every piece.
   */
  readonly tokens: number
  /** Discards all text. */
  reset(): void
}

/** Creates an exact counter. It keeps only the tail of the text, which may still change. */
export function createExactCounter(tokenizer: Tokenizer): TokenCounter {
  /** The end of the text, whose tokens may still change. */
  const tail = new Utf8Buffer(256)
  /** Number of tokens before `tail`. */
  let counted = 0
  /** A high surrogate at the end, whose low surrogate may come with the next piece. */
  let half = ""
  /** The cached result; undefined after more text was added. */
  let total: number | undefined = 0

  function append(text: string): void {
    const before = tail.length
    tail.append(text)
    const cut = tokenizer.cut(tail.bytes, Math.max(before - 8, 0), tail.length)
    if (cut <= 0) return
    counted += tokenizer.count(tail.bytes, tail.view, 0, cut, Number.POSITIVE_INFINITY)
    tail.drop(cut)
  }

  function countTail(): number {
    const end = new Utf8Buffer(tail.length + 3)
    end.bytes.set(tail.bytes.subarray(0, tail.length))
    end.length = tail.length
    end.append(half)
    return tokenizer.count(end.bytes, end.view, 0, end.length, Number.POSITIVE_INFINITY)
  }

  return {
    basis: "exact",
    add(text) {
      checkText(text)
      if (text === "") return
      total = undefined
      let whole = half + text
      half = ""
      if ((whole.charCodeAt(whole.length - 1) & 0xfc00) === 0xd800) {
        half = whole.slice(-1)
        whole = whole.slice(0, -1)
      }
      for (let from = 0; from < whole.length; ) {
        let to = Math.min(whole.length, from + BLOCK_CHARS)
        if (isInsideSurrogatePair(whole, to)) to--
        append(whole.substring(from, to))
        from = to
      }
    },
    get tokens() {
      total ??= counted + countTail()
      return total
    },
    reset() {
      tail.drop(tail.length)
      counted = 0
      half = ""
      total = 0
    },
  }
}
