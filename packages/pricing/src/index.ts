export type { Bound, Cost, CostLine, PriceTier } from "./cost/cost"
export { UnboundedCostError, UnpricedUsageError } from "./errors"
export { createPriceTable, type PriceTableOptions } from "./table/create-price-table"
export type { Instant } from "./table/instant"
export type { PeriodEntry, PriceEntry, RateEntry, SheetEntry } from "./table/price-entry"
export type { ContextTier, DailyWindow, MaxOutputBasis, PriceRow, PriceSheet, Unbounded } from "./table/price-row"
export type {
  AffordOptions,
  BoundOptions,
  CostOptions,
  Modality,
  Price,
  PriceOptions,
  PriceTable,
  ReportedCost,
} from "./table/price-table"
export {
  affordableOutputTokens,
  costOf,
  findPrice,
  priceOf,
  prices,
  tableDate,
  upperBound,
} from "./table/published-prices"
export { RATE_FALLBACK, RATE_KINDS, type RateKind, type Rates } from "./table/rates"
export { checkTableAge, StalePricesError, type TableAgeOptions } from "./table/table-age"
export { usageFromAnthropic } from "./usage/anthropic"
export { usageFromGemini } from "./usage/gemini"
export { usageFromOpenAIChat } from "./usage/openai-chat"
export { usageFromOpenAIResponses } from "./usage/openai-responses"
export { reportedByOpenRouter, usageFromOpenRouter } from "./usage/openrouter"
export { usageFromXAI } from "./usage/xai"
