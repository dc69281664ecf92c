import type { AnswerFormat, Message, NanoUsd, ToolDefinition } from "@p2/core"
import type { AttemptCost } from "@p2/guard/charge"
import type { Bound } from "@p2/pricing"
import type { ReportedUsage } from "@p2/pricing/usage"
import type { OpenAI } from "openai"
import type { Provider } from "./provider"

/** Results of the one web search of a call with `online`. OpenRouter's price is for up to 5. */
export const MAX_WEB_RESULTS = 5

/** Fields of the body that request structured output. */
export interface StructureFields {
  response_format?: AnswerFormat
  tools?: ToolDefinition[]
  tool_choice?: { type: "function"; function: { name: string } }
}

/** How one model is called and priced: its provider, its name there, its limits and its prices. */
export interface Route {
  /** As in the request. */
  model: string
  provider: Provider
  /** The model's name in the request to the provider. */
  sentModel: string
  /** Undefined: neither the variable nor the option is set, and the provider has no default. */
  baseURL: string | undefined
  apiKey: string | undefined
  /** The user's own instance, which has its own key and base URL. */
  ownOpenAI: OpenAI | undefined
  /** Key of what is remembered of the server, such as its answer mode: base URL and model. */
  modeKey: string
  maxTokensField: "max_tokens" | "max_completion_tokens"
  /** Undefined: none is sent. */
  serviceTier: string | undefined
  limits: { contextWindow: number; maxInputTokens?: number | undefined; maxOutputTokens?: number | undefined }
  /** Published rates of a short input, in pico-USD per token. */
  rates(): { input: number; output: number }
  /** The tokens of an input as counted, and the upper bound of what the provider counts. */
  countInput(messages: readonly Message[], structure: StructureFields): { tokens: number; upperBound: number }
  /** The newest turns of a conversation that have at most these input tokens. */
  trimMessages(messages: readonly Message[], maxTokens: number): readonly Message[]
  /** The cost of these tokens at the published price. */
  estimateNanoUsd(inputTokens: number, outputTokens: number): NanoUsd
  /** The upper bound of a call. @throws P2Error (code `unbounded-cost`) if the cost has none. */
  upperBound(messages: readonly Message[], inputUpperBound: number, maxTokens: number): Bound
  /** The largest number of output tokens whose upper bound is at most `budgetNanoUsd`; 0 if the input alone exceeds it. */
  affordableTokens(messages: readonly Message[], inputUpperBound: number, budgetNanoUsd: NanoUsd): number
  /**
   * The cost of a reported usage, at the price of the model that the answer names if that price is higher; undefined if the price
   * table has no price for it.
   */
  costOf(
    reported: ReportedUsage,
    serviceTier: string | undefined,
    modelUsed?: string | undefined,
  ): AttemptCost | undefined
}
