import { bindEncoding } from "./encodings/bind-encoding"
import { r50kBase } from "./encodings/r50k"

/** The encoding itself, for the functions of the root entry. */
export const encoding = r50kBase

export const {
  countTokens,
  countTokensAsync,
  createTokenCounter,
  decode,
  encode,
  isWithinTokenLimit,
  splitByTokens,
  truncateToTokens,
} = /* @__PURE__ */ bindEncoding(r50kBase)
export type { Encoding, EncodingName } from "./encodings/encoding"
export type { TextSource } from "./text/count-source"
export type { SplitOptions } from "./text/cut-text"
export type { SpecialTokenOptions } from "./text/special-tokens"
export type { CountBasis, TokenCounter } from "./text/token-counter"
