import { bindEncoding } from "./bind-encoding"
import { o200kBase } from "./encodings/o200k"

/** The encoding itself, to be passed to the functions of the root entry. */
export const encoding = o200kBase

export const {
  countTokens,
  countTokensAsync,
  createTokenCounter,
  decode,
  encode,
  isWithinTokenLimit,
  splitByTokens,
  truncateToTokens,
} = /* @__PURE__ */ bindEncoding(o200kBase)
export type { SpecialOptions, TextSource } from "./operations"
export type { TokenCounter } from "./token-counter"
export type { SplitOptions } from "./truncate"
