import { bindEncoding } from "./bind-encoding"
import { r50kBase } from "./encodings/r50k"

/** The encoding itself, to be passed to the functions of the root entry. */
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
export type { SpecialOptions, TextSource } from "./operations"
export type { TokenCounter } from "./token-counter"
export type { SplitOptions } from "./truncate"
