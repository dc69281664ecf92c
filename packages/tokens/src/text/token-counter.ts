import type { Tokenizer } from "../tokenizer/tokenizer"
import { checkText } from "./count-text"
import { BLOCK_CHARS, isInsideSurrogatePair, Utf8Buffer } from "./utf8-blocks"

/**
 * How a number of tokens was found: `exact` by the model's own encoding, `estimate` and `upperBound` for a model whose
 * tokenizer is not public.
 */
export type CountBasis = "exact" | "estimate" | "upperBound"

/** Counts text that arrives in pieces, which may be cut anywhere. */
export interface TokenCounter {
  /** Whether `tokens` is exact, an estimate or an upper bound. */
  readonly basis: CountBasis
  /** Appends a piece of text. @throws InvalidArgumentError if it is not a string */
  add(text: string): void
  /**
   * Tokens of everything that was added, as of one text. Reading it counts the end that may still change. That is usually a
   * word, but at most the longest run without white space: read it once at the end of hostile text, not after every piece.
   */
  readonly tokens: number
  /** Begins again with no text. */
  reset(): void
}

/** An exact counter. It keeps only the end of the text that may still change. */
export function createExactCounter(tokenizer: Tokenizer): TokenCounter {
  /** The end that may still change. */
  const pending = new Utf8Buffer(256)
  /** Tokens of the text before `pending`. */
  let counted = 0
  /** First half of a surrogate pair whose second half may come with the next piece. */
  let half = ""
  /** The result, until more text is added. */
  let total: number | undefined = 0

  function append(text: string): void {
    const before = pending.length
    pending.append(text)
    const cut = tokenizer.cut(pending.bytes, Math.max(before - 8, 0), pending.length)
    if (cut <= 0) return
    counted += tokenizer.count(pending.bytes, pending.view, 0, cut, Number.POSITIVE_INFINITY)
    pending.drop(cut)
  }

  function countPending(): number {
    const end = new Utf8Buffer(pending.length + 3)
    end.bytes.set(pending.bytes.subarray(0, pending.length))
    end.length = pending.length
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
      total ??= counted + countPending()
      return total
    },
    reset() {
      pending.drop(pending.length)
      counted = 0
      half = ""
      total = 0
    },
  }
}
