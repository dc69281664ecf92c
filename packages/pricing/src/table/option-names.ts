import { checkOptions, InvalidArgumentError, type OptionAdvice, type Usage } from "@p2/core"
import type { AffordOptions, BoundOptions } from "../bound/bound-options"
import type { CostOptions, PriceOptions, ReportedCost } from "../cost/cost-options"
import type { PeriodEntry, PriceEntry, RateEntry, SheetEntry } from "./price-entry"
import type { DailyWindow } from "./price-row"

/** Returns the option names of a type. A list that omits a name does not compile. */
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
  fileSearch: true,
  codeSession: true,
  image: true,
  second: true,
  character: true,
} as const

const BOUND = {
  inputTokens: true,
  maxOutputTokens: true,
  choices: true,
  webSearches: true,
  fileSearches: true,
  codeInterpreterSessions: true,
  outputImages: true,
  audioSeconds: true,
  inputCharacters: true,
  serviceTier: true,
  region: true,
  byok: true,
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
  regionUpliftPercent: true,
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
  fileSearches: true,
  codeInterpreterSessions: true,
  outputImages: true,
  audioSeconds: true,
  inputCharacters: true,
  calls: true,
  serviceTier: true,
  region: true,
  assumptions: true,
  raw: true,
})
const PRICE_OPTION_NAMES = /* @__PURE__ */ namesOf<PriceOptions>({ at: true, serviceTier: true })
const COST_OPTION_NAMES = /* @__PURE__ */ namesOf<CostOptions>({
  at: true,
  serviceTier: true,
  region: true,
  byok: true,
  calls: true,
  reported: true,
})
const REPORTED_NAMES = /* @__PURE__ */ namesOf<ReportedCost>({
  costUsd: true,
  isByok: true,
  upstreamInferenceCost: true,
})
const BOUND_OPTION_NAMES = /* @__PURE__ */ namesOf<BoundOptions>(BOUND)
const AFFORD_OPTION_NAMES = /* @__PURE__ */ namesOf<AffordOptions>({
  ...BOUND,
  budget: true,
  budgetNanoUsd: true,
})

const OPENAI_CHAT = "It is a field of OpenAI's chat API: pass `usageFromOpenAIChat(response.usage)`."
const ANTHROPIC = "It is a field of Anthropic's API: pass `usageFromAnthropic(message.usage)`."
const OPENAI_RESPONSES = "It is a field of OpenAI's Responses API: pass `usageFromOpenAIResponses(response.usage)`."
const SNAKE_CASE =
  "It is a field of a provider's API: pass `usageFromOpenAIResponses(response.usage)` or `usageFromAnthropic(message.usage)`."
const AI_SDK = "It is a field of the AI SDK: pass `usageFromAISDK(result.usage)`."
const AGENTS = "It is a field of OpenAI's Agents SDK: pass `usageFromOpenAIAgents(result.state.usage)`."
const TOKEN_DETAILS =
  "It is a field of LangChain, the AI SDK or OpenAI's realtime API: pass `usageFromLangChain`, `usageFromAISDK` or `usageFromOpenAIRealtime` the whole usage."
const RESPONSE = "Pass `response.usage`, converted by a function such as `usageFromOpenAIChat`."
const GEMINI = "It is a field of Gemini's API: pass `usageFromGemini(response.usageMetadata)`."

/** Fields of raw usage, with the function that converts that usage. */
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
  cachedInputTokens: AI_SDK,
  totalTokens: AI_SDK,
  requests: AGENTS,
  input_token_details: TOKEN_DETAILS,
  output_token_details: TOKEN_DETAILS,
  seconds: "It is a field of OpenAI's transcription API: pass `usageFromOpenAITranscription(response.usage)`.",
  usage: RESPONSE,
  usageMetadata: RESPONSE,
  id: RESPONSE,
  object: RESPONSE,
  choices: RESPONSE,
  content: RESPONSE,
  candidates: RESPONSE,
}

/** Names of these fields in provider usage and other tools. */
const REPORTED_ADVICE: OptionAdvice = {
  cost: "Did you mean `costUsd`?",
  usd: "Did you mean `costUsd`?",
  is_byok: "Did you mean `isByok`?",
  upstream_inference_cost: "Did you mean `upstreamInferenceCost`?",
}

const INPUT = "Did you mean `input`, in USD per million tokens?"
const OUTPUT = "Did you mean `output`, in USD per million tokens?"

/** Names of the rates in other tools. */
export const ENTRY_ADVICE: OptionAdvice = {
  inputPrice: INPUT,
  inputCost: INPUT,
  input_cost_per_token: INPUT,
  inputPerMillion: INPUT,
  inputPer1M: INPUT,
  inputPer1K: INPUT,
  prompt: INPUT,
  outputPrice: OUTPUT,
  outputCost: OUTPUT,
  output_cost_per_token: OUTPUT,
  outputPerMillion: OUTPUT,
  outputPer1M: OUTPUT,
  outputPer1K: OUTPUT,
  completion: OUTPUT,
}

/** `budget` is an option of another function. */
const BOUND_ADVICE: OptionAdvice = {
  budget: "Use `affordableOutputTokens`, or compare the bound with the budget.",
}

/** Checks a usage and the options of a cost. */
export function checkCostArguments(usage: Usage, options: CostOptions): void {
  checkOptions(usage, USAGE_NAMES, "usage", USAGE_ADVICE)
  checkOptions(options, COST_OPTION_NAMES, "options")
  if (options.reported === undefined) return
  if (typeof options.reported !== "object" || options.reported === null)
    throw new InvalidArgumentError("reported", "an object such as { costUsd: 0.01 }", options.reported)
  checkOptions(options.reported, REPORTED_NAMES, "reported", REPORTED_ADVICE)
}

/** Checks the options of a price. */
export function checkPriceOptions(options: PriceOptions): void {
  checkOptions(options, PRICE_OPTION_NAMES, "options")
}

/** Checks the options of a bound. */
export function checkBoundOptions(options: BoundOptions): void {
  checkOptions(options, BOUND_OPTION_NAMES, "options", BOUND_ADVICE)
}

/** Checks the options of `affordableOutputTokens`. */
export function checkAffordOptions(options: AffordOptions): void {
  checkOptions(options, AFFORD_OPTION_NAMES, "options")
}
