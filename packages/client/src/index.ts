export { BudgetExceededError } from "@p2/budget"
export { formatUsd, MessageBuilder, P2Error, Request, type RequestOptions, usd } from "@p2/core"
export { AnswerStream, type GenerateResult, type PartialAnswer } from "./answer-stream"
export type { BudgetInfo, ScopeInfo } from "./budget-info"
export {
  AnswerEmptyError,
  AnswerRefusedError,
  AnswerTruncatedError,
  ClientClosedError,
  ConnectionFailedError,
  ConnectionLostError,
  ContentFilteredError,
  ContextExceededError,
  DeadlineExceededError,
  type ErrorWithReceipt,
  MissingKeyError,
  MissingPackageError,
  NoMessagesError,
  ProviderError,
  type ProviderErrorCode,
  UnexpectedError,
} from "./client-errors"
export type { ClientClock, Deadlines, LLMClientOptions, Logger } from "./client-options"
export { fetchWithErrorLimit } from "./fetch-with-error-limit"
export { type CallMeta, type CallOptions, LLMClient } from "./llm-client"
export type { Provider, StructuredMode } from "./provider"
export { knownProviders } from "./providers"
export type {
  AnswerMode,
  AttemptReason,
  AttemptReceipt,
  AttemptTimings,
  DeadlineName,
  Receipt,
  Settlement,
} from "./receipt"
export type { Reconciliation } from "./reconcile"
export type {
  ClientUsageData,
  RequestPage,
  RequestRecord,
  UsageGrouping,
  UsageGroupSums,
  UsageQuery,
  UsageStats,
  UsageSums,
} from "./usage-stats"
export { UsageTracker } from "./usage-tracker"
