import type { AnswerMode } from "./receipt"

/** Ways to ask for structure, from the strictest to the loosest. */
export type StructuredMode = Exclude<AnswerMode, "text">

/** What the client has to know of a provider's OpenAI-compatible endpoint. */
export interface Provider {
  /** Prefix in model ids, such as `groq` in `groq/llama-3.3-70b-versatile`. */
  name: string
  /** Up to and without `/chat/completions`. Undefined: only by variable or option (Azure). */
  baseURL?: string | undefined
  /** Environment variables that replace `baseURL`, in order. @defaultValue [`<NAME>_BASE_URL`] */
  baseURLVariables?: readonly string[] | undefined
  /** Environment variables that may hold the key, in order; empty when the provider wants none. @defaultValue [`<NAME>_API_KEY`] */
  keyVariables?: readonly string[] | undefined
  /** Where the provider reads the most output tokens. @defaultValue "max_tokens" */
  maxTokensField?: "max_tokens" | "max_completion_tokens" | undefined
  /** The ladder of modes to try. @defaultValue ["json_schema", "tool", "json_object", "prompt"] */
  modes?: readonly StructuredMode[] | undefined
  /** Whether `stream_options.include_usage` may be sent. @defaultValue true */
  streamOptions?: boolean | undefined
  /** Most output tokens of an answer that is not streamed; a longer one is, whatever was asked for. @defaultValue no limit */
  maxUnstreamedTokens?: number | undefined
  /** Name of the default service tier; undefined: the provider has no tiers to choose from by name. */
  serviceTier?: string | undefined
  /** `openrouter`: sends `usage.include`, `provider.max_price` and the web plugin, reads `usage.cost`. */
  dialect?: "openrouter" | undefined
  /** Name of the field for `seed`. @defaultValue "seed" */
  seedField?: string | undefined
  /** Headers for every call. */
  headers?: Readonly<Record<string, string>> | undefined
}
