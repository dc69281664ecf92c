import { findPrice, models, priceOf } from "@p2/pricing"
import { countRequestTokens, countTokens, truncateToTokens } from "@p2/tokens"
import type { ChatRequest } from "./chat-request"
import type { Rates } from "./ledger"

/** A model that this provider imitates. */
export interface ModelEntry {
  /** Its id in p2's tables. */
  key: string
  contextWindow: number
  maxOutputTokens: number
  rates: Rates
}

/** The model with this name in the given API, priced for a service tier; undefined when it does not exist. */
export function findModel(name: string, api: "openai" | "openrouter", serviceTier?: string): ModelEntry | undefined {
  const key = api === "openrouter" ? `openrouter/${name}` : name
  if (findPrice(key) === undefined) return undefined
  const price = priceOf(key, { serviceTier })
  const { input, output, cacheRead } = price.rates
  return {
    key,
    contextWindow: price.contextWindow ?? 128_000,
    maxOutputTokens: price.maxOutputTokens ?? 4096,
    rates: { input, output, cacheRead: cacheRead ?? input },
  }
}

/** The ids that `GET /models` lists. */
export function listModels(api: "openai" | "openrouter"): string[] {
  const prefix = `${api}/`
  return models()
    .filter((key) => key.startsWith(prefix))
    .map((key) => key.slice(prefix.length))
}

/** Input tokens of a request: messages, tools and answer format. */
export function countPrompt(model: ModelEntry, request: ChatRequest): number {
  const { messages, tools, response_format: answerFormat } = request
  return countRequestTokens({ model: model.key, messages, tools, answerFormat }).tokens
}

/** Answers of all models are counted and truncated with OpenAI's newest encoding. */
const ENCODING = { encoding: "o200k_base" } as const

export function countText(text: string): number {
  return countTokens(text, ENCODING)
}

/** The longest prefix of a text with at most `maxTokens` tokens. */
export function cutToTokens(text: string, maxTokens: number): string {
  return truncateToTokens(text, maxTokens, ENCODING)
}
