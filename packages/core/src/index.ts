export { type AnswerIssue, InvalidAnswerError, UnsupportedSchemaError } from "./answer/answer-errors"
export { type CompiledAnswer, compileAnswer } from "./answer/compile-answer"
export type { DeepPartial } from "./answer/deep-partial"
export { extractJson } from "./answer/extract-json"
export type { AnswerResult } from "./answer/parse-answer"
export { parsePartialJson } from "./answer/partial-json"
export type { BudgetInput, BudgetPeriod, RequestBudget } from "./budget-input"
export { checkNames, checkOptions, type OptionAdvice } from "./check-options"
export type { CoreError, CoreErrorCode } from "./core-error"
export {
  AbortedError,
  describeValue,
  type ErrorKind,
  hideString,
  InvalidArgumentError,
  P2Error,
  type P2ErrorOptions,
  UnknownModelError,
} from "./errors"
export { InvalidRequestError, type RequestIssue } from "./invalid-request-error"
export { LruMap } from "./lru-map"
export { type ImageDetail, MessageBuilder } from "./message-builder"
export type {
  AnswerFormat,
  AssistantMessage,
  AudioPart,
  ContentPart,
  FilePart,
  ImagePart,
  Message,
  SystemMessage,
  TextPart,
  ToolCall,
  ToolDefinition,
  ToolMessage,
  UserMessage,
} from "./messages"
export { isModelId, type ModelId, parseModelId } from "./model-id"
export { checkNanoUsd, formatUsd, NANO_PER_USD, type NanoUsd, toUsdNumber, usd } from "./money"
export { plural } from "./plural"
export { Request, Request as LLMRequest } from "./request"
export type { AnswerModel, RequestOptions } from "./request-options"
export { nearestIds } from "./spelling"
export { toYaml } from "./to-yaml"
export { addUsage, type CostSource, USAGE_COUNTS, type Usage } from "./usage"
