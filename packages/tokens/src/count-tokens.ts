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

/** How a text is counted: as this model counts it, or with this encoding. */
export type TokenizerChoice =
  | {
      /** A model id such as `gpt-4o-mini` or `openrouter/anthropic/claude-sonnet-4.5`. */
      model: string
      /**
       * What is counted for a model without a public tokenizer, such as Claude or Gemini: probable tokens, or the most
       * tokens that the text can have (see {@link estimateTokens}). A model with a public tokenizer is always counted exactly.
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
 * The number of tokens of a text: exact if the tokenizer is public, else an estimate, or an upper bound with `countBy`.
 * Accepts every string: special tokens are ordinary text unless `allowedSpecial` names them, lone surrogates count as U+FFFD.
 *
 * @throws InvalidArgumentError
 *
 * @example
 * countTokens("Hello, world", { model: "gpt-4o-mini" }) // 3
 */
export function countTokens(text: string, options: TokenizerChoice & SpecialTokenOptions): number {
  const encoding = chosenEncoding(options, COUNT_OPTIONS)
  if (encoding !== undefined) return countWithSpecialTokens(encoding, text, options)
  return measureOf(options, encoding).count(text)
}

/**
 * The same for a text of any size, whole or in pieces. Other work gets its turn after each million characters.
 * @throws AbortedError when `signal` fires; InvalidArgumentError
 */
export async function countTokensAsync(
  source: TextSource,
  options: TokenizerChoice & { signal?: AbortSignal | undefined },
): Promise<number> {
  const encoding = chosenEncoding(options, SOURCE_OPTIONS)
  return countSource(measureOf(options, encoding).createCounter(), source, options)
}

/** The tokens of a text. @throws NoPublicTokenizerError; InvalidArgumentError */
export function encode(text: string, options: TokenizerChoice & SpecialTokenOptions): number[] {
  return encodeText(publicEncoding(options, COUNT_OPTIONS, "encode() cannot name its tokens"), text, options)
}

/** The text of tokens; bytes that are not UTF-8 become U+FFFD. @throws NoPublicTokenizerError; InvalidArgumentError */
export function decode(tokens: Iterable<number>, options: TokenizerChoice): string {
  return decodeTokens(publicEncoding(options, CHOICE_OPTIONS, "decode() cannot read its tokens"), tokens)
}

/**
 * Whether a text has at most `maxTokens` tokens, as {@link countTokens} counts them. Stops counting if it has more.
 * @throws InvalidArgumentError
 */
export function isWithinTokenLimit(
  text: string,
  maxTokens: number,
  options: TokenizerChoice & SpecialTokenOptions,
): boolean {
  checkTokenNumber("maxTokens", maxTokens, 0)
  const encoding = chosenEncoding(options, COUNT_OPTIONS)
  if (encoding !== undefined) return countWithSpecialTokens(encoding, text, options, maxTokens) <= maxTokens
  return measureOf(options, encoding).count(text) <= maxTokens
}

/**
 * The longest beginning of a text with at most `maxTokens` tokens, as {@link countTokens} counts them; never cuts a code
 * point. An estimate or an upper bound is cut after a token of o200k_base and may leave a few tokens unused.
 *
 * @throws InvalidArgumentError
 *
 * @example
 * truncateToTokens("one two three four", 2, { model: "gpt-4o" }) // "one two"
 */
export function truncateToTokens(text: string, maxTokens: number, options: TokenizerChoice): string {
  checkTokenNumber("maxTokens", maxTokens, 0)
  return truncateText(measureOf(options, chosenEncoding(options, CHOICE_OPTIONS)), text, maxTokens)
}

/**
 * Splits a text into parts of at most `maxTokens` tokens, as {@link countTokens} counts them.
 *
 * @throws InvalidArgumentError
 *
 * @example
 * splitByTokens("one two three", { model: "gpt-4o", maxTokens: 2 }) // ["one two", " three"]
 */
export function splitByTokens(text: string, options: TokenizerChoice & SplitOptions): string[] {
  return splitText(measureOf(options, chosenEncoding(options, SPLIT_OPTIONS)), text, options)
}

/**
 * A counter for a text that arrives in pieces, which may be cut anywhere. Its `tokens` are {@link countTokens} of the whole,
 * and its `basis` says whether that is exact, an estimate or an upper bound.
 * @throws InvalidArgumentError
 */
export function createTokenCounter(options: TokenizerChoice): TokenCounter {
  return measureOf(options, chosenEncoding(options, CHOICE_OPTIONS)).createCounter()
}

/** The encoding that the options choose; undefined for a model without a public tokenizer. */
function chosenEncoding(options: TokenizerChoice, names: ReadonlySet<string>): Encoding | undefined {
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

/** How the options count a text; `encoding` is the result of {@link chosenEncoding}. */
function measureOf(options: TokenizerChoice & SpecialTokenOptions, encoding: Encoding | undefined): TextMeasure {
  if (encoding !== undefined) return exactMeasure(encoding)
  const { model, countBy, allowedSpecial } = options as TokenizerChoice & { model: string } & SpecialTokenOptions
  if (allowedSpecial !== undefined)
    throw new NoPublicTokenizerError(model, "its special tokens are not known", "Leave out `allowedSpecial`.")
  return countBy === "upperBound" ? upperBoundMeasure(model) : estimateMeasure(model)
}

function publicEncoding(options: TokenizerChoice, names: ReadonlySet<string>, consequence: string): Encoding {
  const encoding = chosenEncoding(options, names)
  if (encoding === undefined)
    throw new NoPublicTokenizerError(
      String(options.model),
      consequence,
      'Use countTokens() for an estimate, or name an encoding: { encoding: "o200k_base" }.',
    )
  return encoding
}
