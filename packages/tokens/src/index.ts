export { createCalibration, type TokenCalibration, type TokenReport } from "./calibration"
export { countRequestTokens, type RequestTokens, type RequestTokensInput } from "./count-request-tokens"
export {
  countTokens,
  countTokensAsync,
  createTokenCounter,
  decode,
  encode,
  isWithinTokenLimit,
  splitByTokens,
  type TokenizerChoice,
  truncateToTokens,
} from "./count-tokens"
export type { Encoding, EncodingName } from "./encoding"
export { EncodingNotLoadedError, NoPublicTokenizerError, UnboundedInputError } from "./errors"
export { estimateTokens, type TokenEstimate } from "./estimate"
export { getModelLimits, type ModelLimits, modelLimitsAsOf } from "./model-limits"
export type { SpecialOptions, TextSource } from "./operations"
export type { TokenCounter } from "./token-counter"
export type { SplitOptions } from "./truncate"
