import type { Message } from "../messages/message"
import type { BudgetInput } from "./budget-input"

/**
 * A Zod 4 schema (`zod` or `zod/mini`) whose parsed value is the answer. Declares only the part that p2 reads, because
 * the types of two releases of Zod are not assignable to each other.
 */
export interface AnswerModel<Answer = unknown> {
  readonly _zod: { readonly output: Answer; readonly def: { readonly type: string } }
}

/** Options of a {@link Request}. Only `model` is required. */
export interface RequestOptions<Answer = string> {
  /** `"gpt-4o-mini"`, `"openrouter/openai/gpt-4o-mini-2024-07-18"`, `"anthropic/…"`, `"ollama/…"`. */
  model: string
  /** Schema of the answer. Without it the answer is a string. */
  answerModel?: AnswerModel<Answer> | undefined
  /** The conversation so far. @defaultValue [] */
  messages?: readonly Message[] | undefined
  /** 0 to 2. @defaultValue the provider's */
  temperature?: number | undefined
  /** 0 to 1. @defaultValue the provider's */
  topP?: number | undefined
  /** −2 to 2. @defaultValue the provider's */
  frequencyPenalty?: number | undefined
  /** −2 to 2. @defaultValue the provider's */
  presencePenalty?: number | undefined
  /** A safe integer. @defaultValue none */
  seed?: number | undefined
  /** Up to 16 strings at which the model stops. @defaultValue none */
  stop?: string | readonly string[] | undefined
  /** Maximum output tokens. @defaultValue the smallest of 4,096, the model's maximum, and what `maxBudget` can afford */
  maxTokens?: number | undefined
  /** Maximum cost of this request in dollars, for all attempts together: `0.05`, `"0.05"` or `"$0.05"`. @defaultValue no limit */
  maxBudget?: number | string | undefined
  /** The user whose call this is, up to 200 characters. If set, spend is tracked by user. */
  userId?: string | undefined
  /** The client application whose call this is, up to 200 characters. If set, spend is tracked by client. */
  clientId?: string | undefined
  /** Up to 32 labels for statistics and budgets, such as `{ team: "search" }`. @defaultValue {} */
  tags?: Readonly<Record<string, string>> | undefined
  /** The budget of the user; requires `userId`. @defaultValue no limit */
  userBudget?: BudgetInput | undefined
  /** The budget of the client application; requires `clientId`. @defaultValue no limit */
  clientBudget?: BudgetInput | undefined
  /** Up to 8 models to try, in order, if one fails or does not fit the budget. @defaultValue [] */
  fallbacks?: readonly string[] | undefined
  /** Web search, if the provider supports it. @defaultValue false */
  online?: boolean | undefined
  /** Requests caching of the prompt's prefix from providers that do not cache automatically. @defaultValue false */
  cachePrompt?: boolean | undefined
  /** Sent to providers that have service tiers; the upper bound is computed for it. @defaultValue "default" */
  serviceTier?: string | undefined
  /** Uses server-sent events with the provider, even if the answer is not streamed. @defaultValue false */
  stream?: boolean | undefined
  /** Deadline in milliseconds, for all attempts together. @defaultValue 120000 */
  timeoutMs?: number | undefined
  /** Retries after network and server errors: 0 to 10. @defaultValue 2 */
  retries?: number | undefined
  /** Retries after an invalid answer, with its issues in the prompt: 0 to 10. @defaultValue 1 */
  repairs?: number | undefined
  /** Plain data for the receipt, not sent to the provider: up to 16,384 characters of JSON. @defaultValue none */
  metadata?: Readonly<Record<string, unknown>> | undefined
  /** Prints readable progress messages. @defaultValue false */
  verbose?: boolean | undefined
}
