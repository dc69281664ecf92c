import { checkOptions, InvalidArgumentError, type OptionAdvice, type Usage } from "@p2/core"
import type { PeriodEntry, PriceEntry, RateEntry, SheetEntry } from "./price-entry"
import type { DailyWindow } from "./price-row"
import type { AffordOptions, BoundOptions, CostOptions, PriceOptions, ReportedCost } from "./price-table"

/** The names of a type, all of them: the compiler refuses a list that leaves one out. */
function namesOf<T>(names: Record<keyof T, true>): ReadonlySet<string> {
  return new Set(Object.keys(names))
}

const RATES = {
  input: true,
  output: true,
  cacheRead: true,
  cacheWrite: true,
  cacheWrite1h: true,
  audioInput: true,
  imageInput: true,
  reasoning: true,
  audioOutput: true,
  imageOutput: true,
  request: true,
  search: true,
} as const

const BOUND = {
  inputTokens: true,
  maxOutputTokens: true,
  choices: true,
  webSearches: true,
  serviceTier: true,
  at: true,
  deadline: true,
  cacheWrites: true,
  inputModalities: true,
  outputModalities: true,
} as const

export const TIER_NAMES = /* @__PURE__ */ namesOf<RateEntry & { fromInputTokens: number }>({
  ...RATES,
  fromInputTokens: true,
})
export const SHEET_NAMES = /* @__PURE__ */ namesOf<SheetEntry>({ ...RATES, tiers: true })
export const PERIOD_NAMES = /* @__PURE__ */ namesOf<PeriodEntry>({
  ...RATES,
  tiers: true,
  from: true,
  until: true,
  window: true,
  serviceTier: true,
})
export const WINDOW_NAMES = /* @__PURE__ */ namesOf<DailyWindow>({ days: true, startMinute: true, endMinute: true })
export const ENTRY_NAMES = /* @__PURE__ */ namesOf<PriceEntry>({
  ...RATES,
  tiers: true,
  serviceTiers: true,
  periods: true,
  contextWindow: true,
  maxInputTokens: true,
  maxOutputTokens: true,
  cacheWriteOnRequest: true,
  free: true,
  asOf: true,
  source: true,
})

const USAGE_NAMES = /* @__PURE__ */ namesOf<Usage>({
  inputTokens: true,
  outputTokens: true,
  cacheReadTokens: true,
  cacheWriteTokens: true,
  cacheWrite1hTokens: true,
  audioInputTokens: true,
  imageInputTokens: true,
  reasoningTokens: true,
  audioOutputTokens: true,
  imageOutputTokens: true,
  webSearches: true,
  raw: true,
})
const PRICE_OPTION_NAMES = /* @__PURE__ */ namesOf<PriceOptions>({ at: true, serviceTier: true })
const COST_OPTION_NAMES = /* @__PURE__ */ namesOf<CostOptions>({ at: true, serviceTier: true, reported: true })
const REPORTED_NAMES = /* @__PURE__ */ namesOf<ReportedCost>({
  costUsd: true,
  isByok: true,
  upstreamInferenceCost: true,
})
const BOUND_OPTION_NAMES = /* @__PURE__ */ namesOf<BoundOptions>(BOUND)
const AFFORD_OPTION_NAMES = /* @__PURE__ */ namesOf<AffordOptions>({ ...BOUND, budget: true })

/**
 * Checks that a value is an object without unknown names: a misspelt rate or limit must not pass for none.
 * @param argument path for the message of a wrong value
 * @param prefix path of its names; empty for options
 * @throws InvalidArgumentError naming the nearest known name
 */
export function checkFields(
  value: unknown,
  names: ReadonlySet<string>,
  argument: string,
  expected: string,
  prefix = argument,
  advice?: OptionAdvice,
): void {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new InvalidArgumentError(argument, expected, value)
  checkOptions(value, names, prefix === "" ? "options" : prefix, advice)
}

const OPENAI_CHAT = "It is a field of OpenAI's chat API: pass `usageFromOpenAIChat(response.usage)`."
const ANTHROPIC = "It is a field of Anthropic's API: pass `usageFromAnthropic(message.usage)`."
const OPENAI_RESPONSES = "It is a field of OpenAI's Responses API: pass `usageFromOpenAIResponses(response.usage)`."
const SNAKE_CASE =
  "It is a field of a provider's API: pass `usageFromOpenAIResponses(response.usage)` or `usageFromAnthropic(message.usage)`."
const GEMINI = "It is a field of Gemini's API: pass `usageFromGemini(response.usageMetadata)`."

/** Fields of raw usage, with the function that converts the whole of it. */
const USAGE_ADVICE: OptionAdvice = {
  prompt_tokens: OPENAI_CHAT,
  completion_tokens: OPENAI_CHAT,
  prompt_tokens_details: OPENAI_CHAT,
  completion_tokens_details: OPENAI_CHAT,
  input_tokens: SNAKE_CASE,
  output_tokens: SNAKE_CASE,
  input_tokens_details: OPENAI_RESPONSES,
  output_tokens_details: OPENAI_RESPONSES,
  cache_creation_input_tokens: ANTHROPIC,
  cache_read_input_tokens: ANTHROPIC,
  promptTokenCount: GEMINI,
  candidatesTokenCount: GEMINI,
  usage: "Pass `response.usage`, converted by a function such as `usageFromOpenAIChat`.",
}

/** Checks a usage and the options of a cost. */
export function checkCostArguments(usage: Usage, options: CostOptions | undefined): void {
  checkFields(usage, USAGE_NAMES, "usage", "an object with `inputTokens` and `outputTokens`", "usage", USAGE_ADVICE)
  if (options === undefined) return
  checkFields(options, COST_OPTION_NAMES, "options", "an object of options", "")
  if (options.reported !== undefined)
    checkFields(options.reported, REPORTED_NAMES, "reported", "an object with `costUsd`")
}

/** Checks the options of a price. */
export function checkPriceOptions(options: PriceOptions | undefined): void {
  if (options !== undefined) checkFields(options, PRICE_OPTION_NAMES, "options", "an object of options", "")
}

/** Checks the options of a bound. */
export function checkBoundOptions(options: BoundOptions): void {
  checkFields(options, BOUND_OPTION_NAMES, "options", "an object with `inputTokens`", "")
}

/** Checks the options of what a budget affords. */
export function checkAffordOptions(options: AffordOptions): void {
  checkFields(options, AFFORD_OPTION_NAMES, "options", "an object with `inputTokens` and `budget`", "")
}
