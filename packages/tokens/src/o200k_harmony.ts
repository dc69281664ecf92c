import { bindEncoding } from "./bind-encoding"
import { o200kHarmony } from "./encodings/o200k"

/** The encoding itself, to be passed to the functions of the root entry. */
export const encoding = o200kHarmony

export const {
  countTokens,
  countTokensAsync,
  createTokenCounter,
  decode,
  encode,
  isWithinTokenLimit,
  splitByTokens,
  truncateToTokens,
} = /* @__PURE__ */ bindEncoding(o200kHarmony)
export type { SpecialOptions, TextSource } from "./operations"
export type { TokenCounter } from "./token-counter"
export type { SplitOptions } from "./truncate"
