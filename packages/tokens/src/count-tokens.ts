import { InvalidArgumentError } from "@p2/core"
import type { Encoding, EncodingName } from "./encoding"
import { encodingNamed, encodingNameOf } from "./encoding-of-model"
import { NoPublicTokenizerError } from "./errors"
import { estimateTokens } from "./estimate"
import {
  checkCount,
  countSource,
  countText,
  decodeTokens,
  encodeText,
  isWithin,
  type SpecialOptions,
  type TextSource,
} from "./operations"
import { createCounter, type TokenCounter } from "./token-counter"
import { type SplitOptions, splitText, truncateText } from "./truncate"

/** How text becomes tokens: as this model reads it, or with this encoding. */
export type TokenizerChoice =
  | { model: string; encoding?: undefined }
  | { encoding: EncodingName | Encoding; model?: undefined }

/** The encoding that was chosen; undefined for a model without a public tokenizer. */
function chosenEncoding(options: TokenizerChoice): Encoding | undefined {
  if (options?.encoding !== undefined) return encodingNamed(options.encoding)
  if (typeof options?.model !== "string")
    throw new InvalidArgumentError("options", '{ model: "gpt-4o-mini" } or { encoding: "o200k_base" }', options)
  const name = encodingNameOf(options.model)
  return name === undefined ? undefined : encodingNamed(name)
}

function publicEncoding(options: TokenizerChoice, what: string): Encoding {
  const encoding = chosenEncoding(options)
  if (encoding === undefined) throw new NoPublicTokenizerError(String(options.model), what)
  return encoding
}

/**
 * Number of tokens of a text. Exact where the tokenizer is public; an estimate for other models (see
 * {@link estimateTokens}). Never throws on any string.
 */
export function countTokens(text: string, options: TokenizerChoice & SpecialOptions): number {
  const encoding = chosenEncoding(options)
  if (encoding === undefined) return estimateTokens(text, String(options.model)).tokens
  return countText(encoding, text, options)
}

/**
 * The same for texts of any size, given at once or in pieces: other work gets its turn at every million characters.
 * @throws AbortedError when `signal` fires; NoPublicTokenizerError
 */
export async function countTokensAsync(
  source: TextSource,
  options: TokenizerChoice & { signal?: AbortSignal | undefined },
): Promise<number> {
  return countSource(publicEncoding(options, "counting a stream"), source, options)
}

/** The tokens of a text. @throws NoPublicTokenizerError */
export function encode(text: string, options: TokenizerChoice & SpecialOptions): number[] {
  return encodeText(publicEncoding(options, "encoding"), text, options)
}

/** The text of tokens; bytes that are no UTF-8 become U+FFFD. @throws NoPublicTokenizerError */
export function decode(tokens: Iterable<number>, options: TokenizerChoice): string {
  return decodeTokens(publicEncoding(options, "decoding"), tokens)
}

/** Whether a text has at most `maxTokens` tokens; stops counting when it has more. */
export function isWithinTokenLimit(
  text: string,
  maxTokens: number,
  options: TokenizerChoice & SpecialOptions,
): boolean {
  const encoding = chosenEncoding(options)
  if (encoding !== undefined) return isWithin(encoding, text, maxTokens, options)
  checkCount("maxTokens", maxTokens, 0)
  return estimateTokens(text, String(options.model)).tokens <= maxTokens
}

/** The longest beginning of a text with at most `maxTokens` tokens; never cuts a code point. @throws NoPublicTokenizerError */
export function truncateToTokens(text: string, maxTokens: number, options: TokenizerChoice): string {
  return truncateText(publicEncoding(options, "truncating"), text, maxTokens)
}

/** Splits a text into parts of at most `maxTokens` tokens, with overlap where it is asked for. @throws NoPublicTokenizerError */
export function splitByTokens(text: string, options: TokenizerChoice & SplitOptions): string[] {
  return splitText(publicEncoding(options, "splitting"), text, options)
}

/** A counter for a text that arrives in pieces, cut anywhere; equal to the count of the whole. @throws NoPublicTokenizerError */
export function createTokenCounter(options: TokenizerChoice): TokenCounter {
  return createCounter(publicEncoding(options, "counting a stream"))
}
