import { isModelId, parseModelId } from "@p2/core"
import { o200kBase } from "../encodings/o200k"
import { checkText, countText } from "../text/count-text"
import { familyOf, type ModelFamily } from "./model-families"
import { NormalizedBytes } from "./normalized-bytes"
import { ScriptRatio } from "./script-ratios"

/** An estimate of a number of tokens, with its upper bound. */
export interface TokenEstimate {
  /** The probable number of tokens. Never used to decide about money. */
  tokens: number
  /** The maximum number of tokens. */
  upperBound: number
  /** Describes how both were computed. */
  basis: string
}

/** Tokens that a tokenizer may add to any text, such as a start token. */
export const ADDED_TOKENS = 8

/**
 * Estimates the number of tokens for a model whose tokenizer is not public, and bounds it.
 *
 * The estimate is o200k_base's count, corrected by script. The upper bound is one token (1.25 if nothing is published about
 * the tokenizer) for each UTF-8 byte of the normalized text, plus 8.
 *
 * @throws InvalidArgumentError if `text` is not a string or `model` is not a model id
 *
 * @example
 * estimateTokens("Hello, world", "claude-sonnet-4-5") // { tokens: 4, upperBound: 23, basis: "…" }
 */
export function estimateTokens(text: string, model: string): TokenEstimate {
  checkText(text)
  if (!isModelId(model)) parseModelId(model)
  const family = familyOf(model)
  const bytes = new NormalizedBytes(family.normalization)
  bytes.add(text)
  const upperBound = boundOf(bytes, family)
  const scripts = new ScriptRatio()
  scripts.add(text)
  const { name, normalization, tokensPerByte } = family
  const form = normalization === undefined ? "" : ` in ${normalization}`
  return {
    tokens: Math.min(upperBound, estimateOf(countText(o200kBase, text), scripts, family)),
    upperBound,
    basis: `o200k_base corrected by script (${name}); bound: ${tokensPerByte} × UTF-8 bytes${form} + ${ADDED_TOKENS}`,
  }
}

export function boundOf({ bytes }: NormalizedBytes, { tokensPerByte }: ModelFamily): number {
  return Math.ceil(bytes * tokensPerByte) + ADDED_TOKENS
}

export function estimateOf(o200kTokens: number, { ratio }: ScriptRatio, { strength }: ModelFamily): number {
  return Math.ceil(o200kTokens * (1 + (ratio - 1) * strength))
}
