import type { Provider } from "./provider"

/**
 * The providers that the client knows, by their OpenAI-compatible endpoints. The sources are public pages, named beside
 * what they say; where none is named, the provider's documentation as it is commonly known. No endpoint was called.
 * A function, so that nothing is built at import.
 */
export function knownProviders(): readonly Provider[] {
  return [
    {
      name: "openai",
      baseURL: "https://api.openai.com/v1",
      // `max_tokens` is deprecated and refused by the reasoning models.
      maxTokensField: "max_completion_tokens",
      serviceTier: "default",
    },
    {
      name: "openrouter",
      baseURL: "https://openrouter.ai/api/v1",
      dialect: "openrouter",
    },
    {
      name: "anthropic",
      baseURL: "https://api.anthropic.com/v1",
      // The compatibility layer ignores `response_format`, `seed` and `service_tier`:
      // https://docs.anthropic.com/en/api/openai-sdk
      modes: ["tool", "prompt"],
    },
    {
      name: "gemini",
      // https://ai.google.dev/gemini-api/docs/openai; `seed` and `frequency_penalty` are refused, with the field's name:
      // https://github.com/Vali-98/ChatterUI/issues/227
      baseURL: "https://generativelanguage.googleapis.com/v1beta/openai",
      keyVariables: ["GEMINI_API_KEY", "GOOGLE_API_KEY"],
    },
    {
      name: "azure",
      baseURLVariables: ["AZURE_BASE_URL", "AZURE_OPENAI_BASE_URL"],
      keyVariables: ["AZURE_OPENAI_API_KEY", "AZURE_API_KEY"],
      maxTokensField: "max_completion_tokens",
    },
    {
      name: "groq",
      baseURL: "https://api.groq.com/openai/v1",
      maxTokensField: "max_completion_tokens",
      // https://console.groq.com/docs/service-tiers
      serviceTier: "on_demand",
    },
    {
      name: "mistral",
      baseURL: "https://api.mistral.ai/v1",
      // Fields that it does not know are refused, `stream_options.include_usage` and `max_completion_tokens` among them;
      // usage comes in the last chunk unasked: https://github.com/TabbyML/tabby/pull/4082
      streamOptions: false,
      seedField: "random_seed",
    },
    {
      name: "deepseek",
      baseURL: "https://api.deepseek.com/v1",
      // `response_format` is text or json_object.
      modes: ["tool", "json_object", "prompt"],
    },
    // `max_tokens` is deprecated.
    { name: "xai", baseURL: "https://api.x.ai/v1", maxTokensField: "max_completion_tokens" },
    { name: "together", baseURL: "https://api.together.xyz/v1" },
    {
      name: "fireworks",
      baseURL: "https://api.fireworks.ai/inference/v1",
      // "Requests with max_tokens > 4096 must have stream=true": https://github.com/nullclaw/nullclaw/pull/231
      maxUnstreamedTokens: 4096,
    },
    { name: "ollama", baseURL: "http://localhost:11434/v1", keyVariables: [] },
  ]
}

let known: ReadonlyMap<string, Provider> | undefined

/** The known providers with the user's laid over them, by name. */
export function providerTable(own: readonly Provider[] = []): ReadonlyMap<string, Provider> {
  known ??= new Map(knownProviders().map((provider) => [provider.name, provider]))
  if (own.length === 0) return known
  const table = new Map(known)
  for (const provider of own) table.set(provider.name, { ...table.get(provider.name), ...provider })
  return table
}

/** The variables that may hold a provider's key, in order. */
export function keyVariablesOf(provider: Provider): readonly string[] {
  return provider.keyVariables ?? [`${variablePrefix(provider.name)}_API_KEY`]
}

/** The variables that may hold a provider's base URL, in order. */
export function baseURLVariablesOf(provider: Provider): readonly string[] {
  return provider.baseURLVariables ?? [`${variablePrefix(provider.name)}_BASE_URL`]
}

function variablePrefix(name: string): string {
  return name.toUpperCase().replace(/[^A-Z0-9]/g, "_")
}
