import { bindEncoding } from "./bind-encoding"
import { p50kBase } from "./encodings/p50k"

/** The encoding itself, to be passed to the functions of the root entry. */
export const encoding = p50kBase

export const {
  countTokens,
  countTokensAsync,
  createTokenCounter,
  decode,
  encode,
  isWithinTokenLimit,
  splitByTokens,
  truncateToTokens,
} = /* @__PURE__ */ bindEncoding(p50kBase)
export type { SpecialOptions, TextSource } from "./operations"
export type { TokenCounter } from "./token-counter"
export type { SplitOptions } from "./truncate"
