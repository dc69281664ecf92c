import { bindEncoding } from "./bind-encoding"
import { cl100kBase } from "./encodings/cl100k"

/** The encoding itself, to be passed to the functions of the root entry. */
export const encoding = cl100kBase

export const {
  countTokens,
  countTokensAsync,
  createTokenCounter,
  decode,
  encode,
  isWithinTokenLimit,
  splitByTokens,
  truncateToTokens,
} = /* @__PURE__ */ bindEncoding(cl100kBase)
export type { SpecialOptions, TextSource } from "./operations"
export type { TokenCounter } from "./token-counter"
export type { SplitOptions } from "./truncate"
