export type { MaxOutputBasis } from "@p2/core/model-limits"
export type { AffordOptions, BoundOptions, Modality } from "./bound/bound-options"
export type { Bound, Cost, CostLine, PriceTier } from "./cost/cost"
export type { CostOptions, PriceOptions, ReportedCost } from "./cost/cost-options"
export {
  isPricingError,
  type PricingError,
  type PricingErrorCode,
  StalePricesError,
  UnboundedCostError,
  type UnboundedReason,
  UnknownUsageError,
  UnpricedUsageError,
} from "./errors"
export { createPriceTable, type PriceTableOptions } from "./table/create-price-table"
export type { Instant } from "./table/instant"
export type { PeriodEntry, PriceEntry, RateEntry, SheetEntry } from "./table/price-entry"
export type { ContextTier, DailyWindow } from "./table/price-row"
export type { Price, PriceTable } from "./table/price-table"
export {
  affordableOutputTokens,
  costOf,
  findPrice,
  models,
  priceOf,
  tableDate,
  upperBound,
} from "./table/published-prices"
export type { RateKind, Rates } from "./table/rates"
export { regionOfURL } from "./table/region-of-url"
export { checkTableAge, type TableAgeOptions } from "./table/table-age"
export { type AISDKUsageOptions, usageFromAISDK } from "./usage/ai-sdk"
export { mergeAnthropicUsage, usageFromAnthropic } from "./usage/anthropic"
export { type GeminiSearches, usageFromGemini } from "./usage/gemini"
export { usageFromLangChain } from "./usage/langchain"
export { usageFromOpenAIAgents } from "./usage/openai-agents"
export { usageFromOpenAIChat, usageFromXAI } from "./usage/openai-chat"
export {
  usageFromOpenAIEmbeddings,
  usageFromOpenAIImages,
  usageFromOpenAIRealtime,
  usageFromOpenAISpeech,
  usageFromOpenAITranscription,
} from "./usage/openai-media"
export { type HostedToolCalls, usageFromOpenAIResponses } from "./usage/openai-responses"
export { usageFromOpenRouter } from "./usage/openrouter"
export { reportedBy, reportedByOpenRouter, reportedByPerplexity, reportedByXAI } from "./usage/reported"
export type { UsageReadOptions } from "./usage/usage-fields"
