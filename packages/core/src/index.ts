export { type AnswerIssue, InvalidAnswerError, UnsupportedSchemaError } from "./answer/answer-errors"
export { type CompiledAnswer, compileAnswer } from "./answer/compile-answer"
export type { DeepPartial } from "./answer/deep-partial"
export { findJson } from "./answer/find-json"
export { type JsonSchemaValue, jsonSchema } from "./answer/json-schema"
export type { AnswerResult } from "./answer/parse-answer"
export { parsePartialJson } from "./answer/partial-json"
export { cutReasoning, startsWithReasoning } from "./answer/reasoning"
export type { AnswerModel, StandardSchema } from "./answer/schema/answer-model"
export { callObserver } from "./call-observer"
export type { CoreError, CoreErrorCode } from "./core-error"
// For the other p2 packages, and for authors of stores and adapters who want the same messages.
export {
  AbortedError,
  describeModelId,
  describeName,
  describeValue,
  type ErrorKind,
  hideString,
  InvalidArgumentError,
  looksLikeKey,
  P2Error,
  type P2ErrorOptions,
  UnknownModelError,
} from "./errors"
export { isRecord, parseJson } from "./json"
export { LruMap } from "./lru-map"
export type {
  AnswerFormat,
  AssistantMessage,
  AudioPart,
  ContentPart,
  CustomToolCall,
  CustomToolDefinition,
  FilePart,
  FunctionMessage,
  ImageDetail,
  ImagePart,
  Message,
  MessageInput,
  RefusalPart,
  SystemMessage,
  TextPart,
  ToolCall,
  ToolDefinition,
  ToolMessage,
  UserMessage,
} from "./messages/message"
export { MessageBuilder } from "./messages/message-builder"
export { toYaml } from "./messages/to-yaml"
export { isModelId, type ModelId, parseModelId } from "./models/model-id"
export { formatUsd, type NanoUsd, toUsdNumber, usd } from "./money"
export { checkOptions, type OptionAdvice } from "./options/check-options"
export { correctSpelling, nearestIds } from "./options/spelling"
export { plural } from "./plural"
export type { BudgetInput, BudgetPeriod, RequestBudget } from "./request/budget-input"
export { InvalidRequestError, type RequestIssue } from "./request/invalid-request-error"
export { type PeriodStart, readPeriodStart, type Weekday } from "./request/period-start"
export { Request, Request as LLMRequest } from "./request/request"
export type { ReasoningEffort, RequestOptions } from "./request/request-options"
export { isServerAddress } from "./server-address"
export { addUsage, type CostSource, USAGE_COUNTS, type Usage } from "./usage"
