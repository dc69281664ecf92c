import { InvalidArgumentError } from "@p2/core"
import { type Encoding, tokenizerOf } from "../encodings/encoding"
import { type SpecialTokenOptions, splitAtSpecialTokens } from "./special-tokens"
import { forEachBlock } from "./utf8-blocks"

/** Returns the number of tokens of ordinary text. Stops above `max`, and then returns some number above it. */
export function countText(encoding: Encoding, text: string, max = Number.POSITIVE_INFINITY): number {
  checkText(text)
  const tokenizer = tokenizerOf(encoding)
  let count = 0
  forEachBlock(tokenizer, text, (bytes, view, end) => {
    count += tokenizer.count(bytes, view, 0, end, max - count)
    return count <= max
  })
  return count
}

/** Like {@link countText}, for text in which some special tokens may be allowed. */
export function countWithSpecialTokens(
  encoding: Encoding,
  text: string,
  options: SpecialTokenOptions | undefined,
  max = Number.POSITIVE_INFINITY,
): number {
  if (options?.allowedSpecial === undefined) return countText(encoding, text, max)
  checkText(text)
  let count = 0
  for (const part of splitAtSpecialTokens(encoding, text, options)) {
    count += part.rank === undefined ? countText(encoding, part.text, max - count) : 1
    if (count > max) break
  }
  return count
}

/** @throws InvalidArgumentError */
export function checkText(text: unknown): asserts text is string {
  if (typeof text === "string") return
  // Callers often pass messages here.
  const expected = Array.isArray(text) ? "a string (countRequestTokens() counts messages)" : "a string"
  throw new InvalidArgumentError("text", expected, text)
}

/** @throws InvalidArgumentError if `value` is not an integer of at least `min` */
export function checkTokenNumber(name: string, value: unknown, min: number): asserts value is number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < min)
    throw new InvalidArgumentError(name, `an integer of at least ${min}`, value)
}
