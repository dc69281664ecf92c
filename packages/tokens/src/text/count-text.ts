import { InvalidArgumentError } from "@p2/core"
import { type Encoding, tokenizerOf } from "../encodings/encoding"
import { type SpecialTokenOptions, splitAtSpecialTokens } from "./special-tokens"
import { forEachBlock } from "./utf8-blocks"

/** The number of tokens of ordinary text. Stops when there are more than `most`, and then returns any number above it. */
export function countText(encoding: Encoding, text: string, most = Number.POSITIVE_INFINITY): number {
  checkText(text)
  const tokenizer = tokenizerOf(encoding)
  let count = 0
  forEachBlock(tokenizer, text, (bytes, view, end) => {
    count += tokenizer.count(bytes, view, 0, end, most - count)
    return count <= most
  })
  return count
}

/** {@link countText} of a text in which some special tokens may be allowed. */
export function countWithSpecialTokens(
  encoding: Encoding,
  text: string,
  options: SpecialTokenOptions | undefined,
  most = Number.POSITIVE_INFINITY,
): number {
  if (options?.allowedSpecial === undefined) return countText(encoding, text, most)
  checkText(text)
  let count = 0
  for (const part of splitAtSpecialTokens(encoding, text, options)) {
    count += part.rank === undefined ? countText(encoding, part.text, most - count) : 1
    if (count > most) break
  }
  return count
}

/** @throws InvalidArgumentError */
export function checkText(text: unknown): asserts text is string {
  if (typeof text === "string") return
  // Messages and bytes are what is passed most often instead.
  const expected = Array.isArray(text) ? "a string (countRequestTokens() counts messages)" : "a string"
  throw new InvalidArgumentError("text", expected, text)
}

/** @throws InvalidArgumentError if `value` is not an integer of at least `least` */
export function checkTokenNumber(name: string, value: unknown, least: number): asserts value is number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < least)
    throw new InvalidArgumentError(name, `an integer of at least ${least}`, value)
}
