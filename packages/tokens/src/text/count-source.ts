import { AbortedError, InvalidArgumentError } from "@p2/core"
import { checkText } from "./count-text"
import type { TokenCounter } from "./token-counter"
import { isInsideSurrogatePair } from "./utf8-blocks"

/** A string, or pieces of text such as the chunks of a file. */
export type TextSource = string | Iterable<string> | AsyncIterable<string>

/** Characters that are counted before the function yields to the event loop and checks the signal. */
const YIELD_CHARS = 1 << 20

/** Counts text of any size piece by piece. */
export async function countSource(
  counter: TokenCounter,
  source: TextSource,
  options?: { signal?: AbortSignal | undefined },
): Promise<number> {
  const signal = options?.signal
  if (typeof source !== "string" && !isIterable(source))
    throw new InvalidArgumentError("source", "a string, or an iterable or async iterable of strings", source)
  let sinceYield = 0
  for await (const piece of typeof source === "string" ? [source] : source) {
    checkText(piece)
    for (let from = 0; from < piece.length; ) {
      if (signal?.aborted) throw new AbortedError("Counting tokens", signal)
      let to = Math.min(piece.length, from + YIELD_CHARS - sinceYield)
      if (isInsideSurrogatePair(piece, to)) to++
      counter.add(piece.substring(from, to))
      sinceYield += to - from
      from = to
      if (sinceYield < YIELD_CHARS) continue
      sinceYield = 0
      await new Promise<void>((resolve) => setTimeout(resolve, 0))
    }
  }
  if (signal?.aborted) throw new AbortedError("Counting tokens", signal)
  return counter.tokens
}

function isIterable(value: unknown): boolean {
  const object = value as Partial<Iterable<string> & AsyncIterable<string>> | null | undefined
  return typeof object?.[Symbol.iterator] === "function" || typeof object?.[Symbol.asyncIterator] === "function"
}
