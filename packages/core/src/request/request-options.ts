import type { Message } from "../messages/message"
import type { BudgetInput } from "./budget-input"

/**
 * A schema of Zod 4 (`zod` or `zod/mini`) whose parsed value is the answer. Only the part that is read is asked for,
 * because the types of two releases of Zod exclude one another.
 */
export interface AnswerModel<Answer = unknown> {
  readonly _zod: { readonly output: Answer; readonly def: { readonly type: string } }
}

/** What a {@link Request} is made of. Only `model` is needed. */
export interface RequestOptions<Answer = string> {
  /** `"gpt-4o-mini"`, `"openrouter/openai/gpt-4o-mini-2024-07-18"`, `"anthropic/…"`, `"ollama/…"`. */
  model: string
  /** Schema of the answer. Without it the answer is a string. */
  answerModel?: AnswerModel<Answer> | undefined
  /** The conversation so far. @defaultValue [] */
  messages?: readonly Message[] | undefined
  /** 0 to 2. Absent: the provider's default. */
  temperature?: number | undefined
  /** 0 to 1. */
  topP?: number | undefined
  /** −2 to 2. */
  frequencyPenalty?: number | undefined
  /** −2 to 2. */
  presencePenalty?: number | undefined
  /** A safe integer. */
  seed?: number | undefined
  /** Where the model stops: up to 16 texts. */
  stop?: string | readonly string[] | undefined
  /** Most output tokens. Absent: the least of 4,096, the model's maximum, and what `maxBudget` affords. */
  maxTokens?: number | undefined
  /** The most this request may cost in USD, all attempts together. */
  maxBudget?: number | string | undefined
  /** Whose call this is: spend is tracked by user whenever it is given. */
  userId?: string | undefined
  clientId?: string | undefined
  /** Names for statistics and budgets, such as `{ team: "search" }`: up to 32. */
  tags?: Readonly<Record<string, string>> | undefined
  /** The user's limit; needs `userId`. */
  userBudget?: BudgetInput | undefined
  /** The client's limit; needs `clientId`. */
  clientBudget?: BudgetInput | undefined
  /** Models to try, in order, when one fails or does not fit the budget: up to 8. */
  fallbacks?: readonly string[] | undefined
  /** Web search, where the provider has it. @defaultValue false */
  online?: boolean | undefined
  /** Ask the provider to cache the prompt's prefix where it must be asked. @defaultValue false */
  cachePrompt?: boolean | undefined
  /** Sent to providers that have service tiers, so that the bound knows it. @defaultValue "default" */
  serviceTier?: string | undefined
  /** Talk to the provider by server-sent events also where the answer is not streamed. @defaultValue false */
  stream?: boolean | undefined
  /** Total deadline in milliseconds, over all attempts. @defaultValue 120000 */
  timeoutMs?: number | undefined
  /** How often a failed transport is tried again: 0 to 10. @defaultValue 2 */
  retries?: number | undefined
  /** How often a wrong answer is sent back for repair: 0 to 10. @defaultValue 1 */
  repairs?: number | undefined
  /** Plain data that comes back in the receipt, and goes nowhere else: up to 16,384 characters of JSON. */
  metadata?: Readonly<Record<string, unknown>> | undefined
  /** Print what happens, for people. @defaultValue false */
  verbose?: boolean | undefined
}
