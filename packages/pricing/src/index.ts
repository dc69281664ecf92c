export type { Bound, Cost, CostLine, PriceTier } from "./cost"
export { createPriceTable, type PriceTableOptions } from "./create-price-table"
export {
  affordableOutputTokens,
  costOf,
  findPrice,
  priceOf,
  prices,
  tableDate,
  upperBound,
} from "./default-table"
export { UnboundedCostError, UnpricedUsageError } from "./errors"
export type { Instant } from "./internal/instant"
export type { PeriodEntry, PriceEntry, RateEntry, SheetEntry } from "./price-entry"
export type { ContextTier, DailyWindow, MaxOutputBasis, PriceRow, PriceSheet, Unbounded } from "./price-row"
export type {
  AffordOptions,
  BoundOptions,
  CostOptions,
  Modality,
  Price,
  PriceOptions,
  PriceTable,
  ReportedCost,
} from "./price-table"
export { RATE_FALLBACK, RATE_KINDS, type RateKind, type Rates } from "./rates"
export { checkTableAge, StalePricesError, type TableAgeOptions } from "./table-age"
export { usageFromAnthropic } from "./usage/anthropic"
export { usageFromGemini } from "./usage/gemini"
export { usageFromOpenAIChat } from "./usage/openai-chat"
export { usageFromOpenAIResponses } from "./usage/openai-responses"
export { reportedByOpenRouter, usageFromOpenRouter } from "./usage/openrouter"
export { usageFromXAI } from "./usage/xai"
