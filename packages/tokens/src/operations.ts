import { AbortedError, InvalidArgumentError } from "@p2/core"
import type { Encoding } from "./encoding"
import { splitAtSpecial } from "./internal/special-tokens"
import { forEachBlock, isBetweenHalves } from "./internal/utf8-blocks"
import { createCounter } from "./token-counter"

/** Which special tokens of the encoding are read as such; all others are ordinary text. */
export interface SpecialOptions {
  /** Names such as `<|endoftext|>`, or `"all"`. @defaultValue none */
  allowedSpecial?: "all" | Iterable<string> | undefined
}

/** Text given at once or in pieces, such as the chunks of a file. */
export type TextSource = string | Iterable<string> | AsyncIterable<string>

/** Characters that are counted between two looks at the signal. */
const TURN_CHARS = 1 << 20

function allowedNames(encoding: Encoding, options: SpecialOptions | undefined): string[] {
  const allowed = options?.allowedSpecial
  if (allowed === undefined) return []
  if (allowed === "all") return [...encoding.specialTokens.keys()]
  const names = [...allowed]
  for (const name of names)
    if (!encoding.specialTokens.has(name))
      throw new InvalidArgumentError("allowedSpecial", `names of special tokens of ${encoding.name}`, name)
  return names
}

function checkText(text: unknown): asserts text is string {
  if (typeof text !== "string") throw new InvalidArgumentError("text", "a string", text)
}

/** @throws InvalidArgumentError when it is no whole number from `least` up */
export function checkCount(name: string, value: unknown, least: number): asserts value is number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < least)
    throw new InvalidArgumentError(name, `a whole number from ${least} up`, value)
}

/** Counts ordinary text; stops above `most`. */
export function countOrdinary(encoding: Encoding, text: string, most = Number.POSITIVE_INFINITY): number {
  const tokenizer = encoding.tokenizer()
  let count = 0
  forEachBlock(tokenizer, text, (bytes, view, end) => {
    count += tokenizer.count(bytes, view, 0, end, most - count)
    return count <= most
  })
  return count
}

export function countText(
  encoding: Encoding,
  text: string,
  options?: SpecialOptions,
  most = Number.POSITIVE_INFINITY,
): number {
  checkText(text)
  if (options?.allowedSpecial === undefined) return countOrdinary(encoding, text, most)
  let count = 0
  for (const part of splitAtSpecial(text, allowedNames(encoding, options))) {
    count += part.isSpecial ? 1 : countOrdinary(encoding, part.text, most - count)
    if (count > most) break
  }
  return count
}

/** Counts any amount of text piece by piece; between pieces other work gets its turn and the signal is looked at. */
export async function countSource(
  encoding: Encoding,
  source: TextSource,
  options?: { signal?: AbortSignal | undefined },
): Promise<number> {
  const counter = createCounter(encoding)
  const signal = options?.signal
  let sinceTurn = 0
  for await (const piece of typeof source === "string" ? [source] : source) {
    checkText(piece)
    for (let from = 0; from < piece.length; ) {
      if (signal?.aborted) throw new AbortedError("Counting tokens", signal)
      let to = Math.min(piece.length, from + TURN_CHARS - sinceTurn)
      if (isBetweenHalves(piece, to)) to++
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

export function encodeText(encoding: Encoding, text: string, options?: SpecialOptions): number[] {
  checkText(text)
  const tokenizer = encoding.tokenizer()
  const tokens: number[] = []
  for (const part of splitAtSpecial(text, allowedNames(encoding, options))) {
    if (part.isSpecial) tokens.push(encoding.specialTokens.get(part.text)!)
    else
      forEachBlock(tokenizer, part.text, (bytes, view, end) => {
        tokenizer.encode(bytes, view, 0, end, tokens)
        return true
      })
  }
  return tokens
}

/** The text of tokens; bytes that are no UTF-8 become U+FFFD. */
export function decodeTokens(encoding: Encoding, tokens: Iterable<number>): string {
  const { table } = encoding.tokenizer()
  const parts: Uint8Array[] = []
  let length = 0
  let special: Map<number, string> | undefined
  for (const token of tokens) {
    checkCount("tokens[]", token, 0)
    let part = token < table.size ? table.bytesOf(token) : undefined
    if (part === undefined || part.length === 0) {
      special ??= new Map([...encoding.specialTokens].reverse().map(([name, rank]) => [rank, name]))
      const name = special.get(token)
      if (name === undefined) throw new InvalidArgumentError("tokens[]", `a token of ${encoding.name}`, token)
      part = new TextEncoder().encode(name)
    }
    parts.push(part)
    length += part.length
  }
  const bytes = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)
}

export function isWithin(encoding: Encoding, text: string, maxTokens: number, options?: SpecialOptions): boolean {
  checkCount("maxTokens", maxTokens, 0)
  return countText(encoding, text, options, maxTokens) <= maxTokens
}
