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
export type { Encoding, EncodingName } from "./encodings/encoding"
export { NoPublicTokenizerError, type TokensError, type TokensErrorCode, UnboundedInputError } from "./errors"
export { createCalibration, type TokenCalibration, type TokenReport } from "./estimate/calibration"
export { estimateTokens, type TokenEstimate } from "./estimate/estimate-tokens"
export { getModelLimits, type ModelLimits, modelLimitsAsOf } from "./model-limits"
export { countRequestTokens, type RequestTokens, type RequestTokensInput } from "./request/count-request-tokens"
export { wavBytesPerSecond } from "./request/pcm-rate"
export { type TrimOptions, trimMessages } from "./request/trim-messages"
export type { TextSource } from "./text/count-source"
export type { SplitOptions } from "./text/cut-text"
export type { SpecialTokenOptions } from "./text/special-tokens"
export type { CountBasis, TokenCounter } from "./text/token-counter"
