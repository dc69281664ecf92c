import type { AnswerModel } from "../answer/schema/answer-model"
import type { MessageInput } from "../messages/message"
import type { BudgetInput } from "./budget-input"

/** The value of an option that may be absent. `null` is the same as absent, as in the types of the official SDK. */
type Optional<Value> = Value | null | undefined

/** How much a reasoning model thinks. A model may support only some of them. */
export type ReasoningEffort = "none" | "minimal" | "low" | "medium" | "high" | "xhigh" | "max"

/**
 * Options of a {@link Request}. Only `model` is required. A budget must not be `null`, because a limit that the caller
 * failed to look up would then mean no limit.
 */
export interface RequestOptions<Answer = string> {
  /** `"gpt-4o-mini"`, `"openrouter/openai/gpt-4o-mini-2024-07-18"`, `"anthropic/…"`, `"ollama/…"`. */
  model: string
  /** Schema of the answer. Without it the answer is a string. */
  answerModel?: Optional<AnswerModel<Answer>>
  /** The system message, sent before the conversation. @defaultValue none */
  system?: Optional<string>
  /** The conversation so far. @defaultValue [] */
  messages?: Optional<readonly MessageInput[]>
  /**
   * Sends the newest turns of the conversation that have at most `maxTokens` input tokens, `system` included. The last question
   * is always sent. @defaultValue everything is sent
   */
  history?: Optional<{ maxTokens: number }>
  /** 0 to 2. @defaultValue the provider's */
  temperature?: Optional<number>
  /** 0 to 1. @defaultValue the provider's */
  topP?: Optional<number>
  /** −2 to 2. @defaultValue the provider's */
  frequencyPenalty?: Optional<number>
  /** −2 to 2. @defaultValue the provider's */
  presencePenalty?: Optional<number>
  /** A safe integer. @defaultValue none */
  seed?: Optional<number>
  /** Up to 16 strings at which the model stops. @defaultValue none */
  stop?: Optional<string | readonly string[]>
  /** Maximum output tokens. @defaultValue the smallest of 4,096, the model's maximum, and what `maxBudget` can afford */
  maxTokens?: Optional<number>
  /**
   * A text answer that ended at `maxTokens`: `"return"` returns it with `finishReason: "length"`; `"error"` requests a longer one if
   * `maxTokens` is not set, and fails otherwise. A structured answer that ended there is always an error. @defaultValue "return"
   */
  onTruncated?: Optional<"return" | "error">
  /** How much a reasoning model thinks. Hidden reasoning counts toward `maxTokens`. @defaultValue the provider's */
  reasoningEffort?: Optional<ReasoningEffort>
  /** Length of answers, for models that have this setting. @defaultValue the provider's */
  verbosity?: Optional<"low" | "medium" | "high">
  /**
   * Fields of the HTTP body that have no option here, as the provider spells them, such as `{ top_k: 40 }`. A field whose cost
   * is not understood is rejected, unless `extraCost` states it. @defaultValue {}
   */
  extraBody?: Optional<Readonly<Record<string, unknown>>>
  /**
   * Maximum dollars that `extraBody` can add to the cost of one attempt. It is reserved, and charged unless the
   * provider reports the cost. @defaultValue "0"
   */
  extraCost?: number | string | undefined
  /** Headers of the HTTP call, such as `{ "X-Title": "My app" }`. @defaultValue {} */
  extraHeaders?: Optional<Readonly<Record<string, string>>>
  /** Maximum cost of this request in dollars, for all attempts together: `0.05`, `"0.05"` or `"$0.05"`. @defaultValue no limit */
  maxBudget?: number | string | undefined
  /** The user whose call this is, up to 200 characters. If set, spend is tracked by user. */
  userId?: Optional<string>
  /** The client application whose call this is, up to 200 characters. If set, spend is tracked by client. */
  clientId?: Optional<string>
  /** Up to 32 labels for statistics and budgets, such as `{ team: "search" }`. @defaultValue {} */
  tags?: Optional<Readonly<Record<string, string>>>
  /** The budget of the user; requires `userId`. @defaultValue no limit */
  userBudget?: BudgetInput | undefined
  /** The budget of the client application; requires `clientId`. @defaultValue no limit */
  clientBudget?: BudgetInput | undefined
  /** Up to 8 models to try, in order, if one fails or does not fit the budget. @defaultValue [] */
  fallbacks?: Optional<readonly string[]>
  /** Web search, if the provider supports it. @defaultValue false */
  online?: Optional<boolean>
  /** Requests caching of the prompt's prefix from providers that do not cache automatically. @defaultValue false */
  cachePrompt?: Optional<boolean>
  /** Sent to providers that have service tiers; the upper bound is computed for it. @defaultValue "default" */
  serviceTier?: Optional<string>
  /** Uses server-sent events with the provider, even if the answer is not streamed. @defaultValue false */
  stream?: Optional<boolean>
  /** Deadline in milliseconds, for all attempts together. @defaultValue 120000 */
  timeoutMs?: Optional<number>
  /** Retries after network and server errors: 0 to 10. @defaultValue 2 */
  retries?: Optional<number>
  /** Retries after an invalid answer, with its issues in the prompt: 0 to 10. @defaultValue 1 */
  repairs?: Optional<number>
  /** Plain data for the receipt, not sent to the provider: up to 16,384 characters of JSON. @defaultValue none */
  metadata?: Optional<Readonly<Record<string, unknown>>>
  /** Prints readable progress messages. @defaultValue false */
  verbose?: Optional<boolean>
}
