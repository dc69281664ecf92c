export { type BudgetAlert, BudgetExceededError } from "@p2/budget"
export { formatUsd, jsonSchema, MessageBuilder, P2Error, Request, type RequestOptions, usd } from "@p2/core"
export { type ChargeOptions, CircuitOpenError, type DoubtfulCharge } from "@p2/guard/charge"
export { AnswerStream, type PartialAnswer, type TextDelta } from "./answer-stream"
export type { MapOptions, MapProgress, MapResult } from "./batch/map-items"
export type { BudgetInfo, ScopeInfo } from "./budget/budget-info"
export type { Reconciliation } from "./budget/reconcile"
export {
  type ClientUsageData,
  type RequestPage,
  type RequestRecord,
  type RequestStatus,
  type UsageGrouping,
  type UsageGroupSums,
  type UsageQuery,
  type UsageStats,
  type UsageSums,
  UsageTracker,
} from "./budget/usage-tracker"
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
  type GenerateError,
  type GenerateErrorCode,
  MissingKeyError,
  MissingPackageError,
  NoMessagesError,
  ProviderError,
  type ProviderErrorCode,
  RunFinishedError,
  ToolCallsReturnedError,
  UnexpectedError,
} from "./errors"
export type { Generated, GenerateResult } from "./generate/generate-call"
export { type CallMeta, LLMClient } from "./llm-client"
export type { CallOptions, ClientClock, Deadlines, LLMClientOptions, Logger } from "./options/client-options"
export type { Provider, StructuredMode } from "./providers/provider"
export { knownProviders } from "./providers/provider"
export type {
  AnswerMode,
  AttemptLimit,
  AttemptReason,
  AttemptReceipt,
  AttemptStatus,
  AttemptTimings,
  DeadlineName,
  Receipt,
  SettlementStatus,
  ToolReceipt,
} from "./receipt"
export { type ForkChanges, type ForkOptions, Run } from "./runs/run"
export type { RunLimit, RunReceipt } from "./runs/run-scope"
export {
  type AnyTool,
  type Tool,
  type ToolCallOf,
  type ToolChoice,
  type ToolContext,
  type ToolCost,
  type ToolInput,
  type ToolOutput,
  type ToolResultOf,
  type ToolSet,
  tool,
} from "./steps/tool"
export { fetchWithErrorLimit } from "./transport/fetch-with-error-limit"
