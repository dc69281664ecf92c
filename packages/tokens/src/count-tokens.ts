import { checkOptions, InvalidArgumentError } from "@p2/core"
import type { Encoding, EncodingName } from "./encodings/encoding"
import { encodingByName, encodingOfModel } from "./encodings/find-encoding"
import { NoPublicTokenizerError } from "./errors"
import { estimateMeasure, upperBoundMeasure } from "./estimate/estimate-measures"
import { countSource, type TextSource } from "./text/count-source"
import { checkTokenNumber, countWithSpecialTokens } from "./text/count-text"
import { type SplitOptions, splitText, truncateText } from "./text/cut-text"
import { decodeTokens, encodeText } from "./text/encode-text"
import type { SpecialTokenOptions } from "./text/special-tokens"
import { exactMeasure, type TextMeasure } from "./text/text-measure"
import type { TokenCounter } from "./text/token-counter"

/** Chooses how text is counted: as a model counts it, or with an encoding. */
export type TokenizerChoice =
  | {
      /** A model id such as `gpt-4o-mini` or `openrouter/anthropic/claude-sonnet-4.5`. */
      model: string
      /**
       * For a model without a public tokenizer, such as Claude or Gemini: counts the probable tokens, or the most tokens that
       * the text can have (see {@link estimateTokens}). A model with a public tokenizer is always counted exactly.
       * @defaultValue "estimate"
       */
      countBy?: "estimate" | "upperBound" | undefined
      encoding?: undefined
    }
  | {
      /** The name of an encoding, or the `encoding` that a sub-path such as `@p2/tokens/o200k_base` exports. */
      encoding: EncodingName | Encoding
      model?: undefined
      countBy?: undefined
    }

const CHOICE_OPTIONS: ReadonlySet<string> = /* @__PURE__ */ new Set(["model", "encoding", "countBy"])
const COUNT_OPTIONS: ReadonlySet<string> = /* @__PURE__ */ new Set([...CHOICE_OPTIONS, "allowedSpecial"])
const SOURCE_OPTIONS: ReadonlySet<string> = /* @__PURE__ */ new Set([...CHOICE_OPTIONS, "signal"])
const SPLIT_OPTIONS: ReadonlySet<string> = /* @__PURE__ */ new Set([...CHOICE_OPTIONS, "maxTokens", "overlapTokens"])
const ADVICE = {
  overlap: "Did you mean `overlapTokens`?",
  chunkSize: "Did you mean `maxTokens`?",
  limit: "Did you mean `maxTokens`?",
}

/**
 * Returns the number of tokens in a string: exact if the tokenizer is public, otherwise an estimate, or an upper bound with
 * `countBy`. Accepts every string: special tokens are ordinary text unless `allowedSpecial` names them, and lone surrogates
 * count as U+FFFD.
 *
 * @throws InvalidArgumentError
 *
 * @example
 * countTokens("Hello, world", { model: "gpt-4o-mini" }) // 3
 */
export function countTokens(text: string, options: TokenizerChoice & SpecialTokenOptions): number {
  const encoding = checkedEncoding(options, COUNT_OPTIONS)
  if (encoding !== undefined) return countWithSpecialTokens(encoding, text, options)
  return inexactMeasure(options).count(text)
}

/**
 * Counts text of any size, whole or in pieces. Yields to the event loop after each million characters.
 * @throws AbortedError when `signal` fires; InvalidArgumentError
 */
export async function countTokensAsync(
  source: TextSource,
  options: TokenizerChoice & { signal?: AbortSignal | undefined },
): Promise<number> {
  const encoding = checkedEncoding(options, SOURCE_OPTIONS)
  return countSource(measureOf(options, encoding).createCounter(), source, options)
}

/** Encodes a string. @throws NoPublicTokenizerError; InvalidArgumentError */
export function encode(text: string, options: TokenizerChoice & SpecialTokenOptions): number[] {
  return encodeText(publicEncoding(options, COUNT_OPTIONS, "encode() has no token numbers to return"), text, options)
}

/** Decodes tokens; bytes that are not UTF-8 become U+FFFD. @throws NoPublicTokenizerError; InvalidArgumentError */
export function decode(tokens: Iterable<number>, options: TokenizerChoice): string {
  return decodeTokens(publicEncoding(options, CHOICE_OPTIONS, "decode() cannot map its tokens to text"), tokens)
}

/**
 * Returns whether a string has at most `maxTokens` tokens, as {@link countTokens} counts them. An exact count stops when it
 * exceeds `maxTokens`; an estimate and an upper bound read the whole string.
 * @throws InvalidArgumentError
 */
export function isWithinTokenLimit(
  text: string,
  maxTokens: number,
  options: TokenizerChoice & SpecialTokenOptions,
): boolean {
  checkTokenNumber("maxTokens", maxTokens, 0)
  const encoding = checkedEncoding(options, COUNT_OPTIONS)
  if (encoding !== undefined) return countWithSpecialTokens(encoding, text, options, maxTokens) <= maxTokens
  return inexactMeasure(options).count(text) <= maxTokens
}

/**
 * Returns the longest prefix of a string with at most `maxTokens` tokens, as {@link countTokens} counts them. Never splits a
 * code point. With an estimate or an upper bound, the cut is after a token of o200k_base and may leave a few tokens unused.
 *
 * @throws InvalidArgumentError
 *
 * @example
 * truncateToTokens("one two three four", 2, { model: "gpt-4o" }) // "one two"
 */
export function truncateToTokens(text: string, maxTokens: number, options: TokenizerChoice): string {
  checkTokenNumber("maxTokens", maxTokens, 0)
  return truncateText(measureOf(options, checkedEncoding(options, CHOICE_OPTIONS)), text, maxTokens)
}

/**
 * Splits a string into parts of at most `maxTokens` tokens, as {@link countTokens} counts them.
 *
 * @throws InvalidArgumentError
 *
 * @example
 * splitByTokens("one two three", { model: "gpt-4o", maxTokens: 2 }) // ["one two", " three"]
 */
export function splitByTokens(text: string, options: TokenizerChoice & SplitOptions): string[] {
  return splitText(measureOf(options, checkedEncoding(options, SPLIT_OPTIONS)), text, options)
}

/**
 * Creates a counter for text that arrives in pieces, which may be split anywhere. Its `tokens` equal {@link countTokens} of
 * the whole text, and its `basis` says whether that is exact, an estimate or an upper bound.
 * @throws InvalidArgumentError
 */
export function createTokenCounter(options: TokenizerChoice): TokenCounter {
  return measureOf(options, checkedEncoding(options, CHOICE_OPTIONS)).createCounter()
}

/** Checks the options, and returns the encoding that they choose, or undefined for a model without a public tokenizer. */
function checkedEncoding(options: TokenizerChoice, names: ReadonlySet<string>): Encoding | undefined {
  if (typeof options !== "object" || options === null)
    throw new InvalidArgumentError("options", '{ model: "gpt-4o-mini" } or { encoding: "o200k_base" }', options)
  checkOptions(options, names, "options", ADVICE)
  const { model, encoding, countBy } = options
  if ((model === undefined) === (encoding === undefined))
    throw new InvalidArgumentError(
      "options",
      'either { model: "gpt-4o-mini" } or { encoding: "o200k_base" }',
      options,
      `Invalid \`options\`: ${model === undefined ? "set" : "set only one of"} \`model\` (such as "gpt-4o-mini") or \`encoding\` (such as "o200k_base").`,
    )
  if (countBy !== undefined && countBy !== "estimate" && countBy !== "upperBound")
    throw new InvalidArgumentError("countBy", '"estimate" or "upperBound"', countBy)
  return encoding !== undefined ? encodingByName(encoding) : encodingOfModel(model!)
}

/** @param encoding the result of {@link checkedEncoding} */
function measureOf(options: TokenizerChoice, encoding: Encoding | undefined): TextMeasure {
  return encoding === undefined ? inexactMeasure(options) : exactMeasure(encoding)
}

/** The measure for a model without a public tokenizer. */
function inexactMeasure(options: TokenizerChoice & SpecialTokenOptions): TextMeasure {
  const { model, countBy, allowedSpecial } = options as TokenizerChoice & { model: string } & SpecialTokenOptions
  if (allowedSpecial !== undefined)
    throw new NoPublicTokenizerError(model, "its special tokens are unknown", "Omit `allowedSpecial`.")
  return countBy === "upperBound" ? upperBoundMeasure(model) : estimateMeasure(model)
}

function publicEncoding(options: TokenizerChoice, names: ReadonlySet<string>, consequence: string): Encoding {
  const encoding = checkedEncoding(options, names)
  if (encoding === undefined)
    throw new NoPublicTokenizerError(
      String(options.model),
      consequence,
      'Use countTokens() for an estimate, or name an encoding: { encoding: "o200k_base" }.',
    )
  return encoding
}
