import type { Encoding } from "./encoding"
import {
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

/** The functions of the root entry for one encoding, without the option that names it. */
export interface BoundEncoding {
  /** Number of tokens. Never throws on any string. */
  countTokens(text: string, options?: SpecialOptions): number
  /** The same for texts of any size; `signal` ends it with an AbortedError. */
  countTokensAsync(source: TextSource, options?: { signal?: AbortSignal | undefined }): Promise<number>
  encode(text: string, options?: SpecialOptions): number[]
  decode(tokens: Iterable<number>): string
  isWithinTokenLimit(text: string, maxTokens: number, options?: SpecialOptions): boolean
  truncateToTokens(text: string, maxTokens: number): string
  splitByTokens(text: string, options: SplitOptions): string[]
  createTokenCounter(): TokenCounter
}

/** Binds every function to one encoding. */
export function bindEncoding(encoding: Encoding): BoundEncoding {
  return {
    countTokens: (text, options) => countText(encoding, text, options),
    countTokensAsync: (source, options) => countSource(encoding, source, options),
    encode: (text, options) => encodeText(encoding, text, options),
    decode: (tokens) => decodeTokens(encoding, tokens),
    isWithinTokenLimit: (text, maxTokens, options) => isWithin(encoding, text, maxTokens, options),
    truncateToTokens: (text, maxTokens) => truncateText(encoding, text, maxTokens),
    splitByTokens: (text, options) => splitText(encoding, text, options),
    createTokenCounter: () => createCounter(encoding),
  }
}
