/** Ways to request structured output, from the strictest to the loosest. */
export const STRUCTURED_MODES = ["json_schema", "tool", "json_object", "prompt"] as const

/** A way to request structured output. */
export type StructuredMode = (typeof STRUCTURED_MODES)[number]

/** A provider's endpoint: OpenAI-compatible, unless `dialect` says otherwise. */
export interface Provider {
  /** Prefix in model ids, such as `groq` in `groq/llama-3.3-70b-versatile`. */
  name: string
  /** The URL before `/chat/completions` or `/messages`. Undefined: only a variable or an option sets it (Azure). */
  baseURL?: string | undefined
  /** Environment variables that replace `baseURL`, in order. @defaultValue [`<NAME>_BASE_URL`] */
  baseURLVariables?: readonly string[] | undefined
  /** Environment variables that may hold the key, in order; empty when no key is needed. @defaultValue [`<NAME>_API_KEY`] */
  keyVariables?: readonly string[] | undefined
  /** Field for the output limit. @defaultValue "max_tokens" */
  maxTokensField?: "max_tokens" | "max_completion_tokens" | undefined
  /** Modes to try, in order. @defaultValue ["json_schema", "tool", "json_object", "prompt"] */
  modes?: readonly StructuredMode[] | undefined
  /** Whether `stream_options.include_usage` may be sent. @defaultValue true */
  streamOptions?: boolean | undefined
  /** Output tokens above which a call is always streamed, because the provider requires it. @defaultValue no limit */
  maxUnstreamedTokens?: number | undefined
  /** Name of the default service tier; undefined: none is sent. */
  serviceTier?: string | undefined
  /**
   * `openrouter`: sends `usage.include`, `provider.max_price` and the web plugin, reads `usage.cost`. `anthropic`: speaks the
   * Messages API at `/messages`. @defaultValue OpenAI's chat completions
   */
  dialect?: "openrouter" | "anthropic" | undefined
  /** Field for `seed`. @defaultValue "seed" */
  seedField?: string | undefined
  /** Headers for every call. */
  headers?: Readonly<Record<string, string>> | undefined
}

/** The environment variables that may hold a provider's key, in order. */
export function keyVariablesOf(provider: Provider): readonly string[] {
  return provider.keyVariables ?? [`${variablePrefix(provider.name)}_API_KEY`]
}

/** The environment variables that may hold a provider's base URL, in order. */
export function baseURLVariablesOf(provider: Provider): readonly string[] {
  return provider.baseURLVariables ?? [`${variablePrefix(provider.name)}_BASE_URL`]
}

function variablePrefix(name: string): string {
  return name.toUpperCase().replace(/[^A-Z0-9]/g, "_")
}
