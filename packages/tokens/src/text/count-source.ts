import { AbortedError, InvalidArgumentError } from "@p2/core"
import { checkText } from "./count-text"
import type { TokenCounter } from "./token-counter"
import { isInsideSurrogatePair } from "./utf8-blocks"

/** A text, or pieces of it such as the chunks of a file. */
export type TextSource = string | Iterable<string> | AsyncIterable<string>

/** Characters that are counted before other work gets its turn and the signal is checked. */
const TURN_CHARS = 1 << 20

/** Counts a text of any size piece by piece. */
export async function countSource(
  counter: TokenCounter,
  source: TextSource,
  options?: { signal?: AbortSignal | undefined },
): Promise<number> {
  const signal = options?.signal
  if (typeof source !== "string" && !isIterable(source))
    throw new InvalidArgumentError("source", "a string, or an iterable or async iterable of strings", source)
  let sinceTurn = 0
  for await (const piece of typeof source === "string" ? [source] : source) {
    checkText(piece)
    for (let from = 0; from < piece.length; ) {
      if (signal?.aborted) throw new AbortedError("Counting tokens", signal)
      let to = Math.min(piece.length, from + TURN_CHARS - sinceTurn)
      if (isInsideSurrogatePair(piece, to)) to++
      counter.add(piece.substring(from, to))
      sinceTurn += to - from
      from = to
      if (sinceTurn < TURN_CHARS) continue
      sinceTurn = 0
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
