export {
  AbortedError,
  describeValue,
  type ErrorKind,
  InvalidArgumentError,
  P2Error,
  type P2ErrorOptions,
  UnknownModelError,
} from "./errors"
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
export { type ModelId, nearestIds, parseModelId, withoutDate } from "./model-id"
export { checkNanoUsd, formatUsd, NANO_PER_USD, type NanoUsd, toUsdNumber, usd } from "./money"
export { addUsage, type CostSource, USAGE_COUNTS, type Usage } from "./usage"
