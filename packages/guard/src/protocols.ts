export { MessageMeter } from "./protocols/anthropic/meter"
export { describeCall, PROTOCOLS } from "./protocols/describe-call"
export type { Meter, MeterReading, ReportedError, ReportedUsage, WireEvent } from "./protocols/meter"
export { ChatCompletion } from "./protocols/openai-chat/chat-completion"
export type { AnswerEnd } from "./protocols/openai-chat/finish-reasons"
export type { CalledTool } from "./protocols/openai-chat/tool-calls"
export type {
  BatchPoll,
  BatchStart,
  BatchUpload,
  CallDescription,
  CallInput,
  FormFile,
  PricedCall,
  Prompt,
  Protocol,
  ProtocolContext,
  ProviderCall,
  Rejection,
  RejectionReason,
  ResumedCall,
} from "./protocols/protocol"
export { type CompatibleProvider, KNOWN_PROVIDERS, type LimitField } from "./protocols/variants/known-providers"
