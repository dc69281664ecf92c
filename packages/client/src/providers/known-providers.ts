import type { Provider } from "./provider"

/**
 * The providers that the client knows, with their OpenAI-compatible endpoints. Facts come from public pages, linked beside
 * them, or from the provider's documentation. No endpoint was called to check them.
 */
export function knownProviders(): readonly Provider[] {
  return [
    {
      name: "openai",
      baseURL: "https://api.openai.com/v1",
      // `max_tokens` is deprecated, and the reasoning models reject it.
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
      // https://ai.google.dev/gemini-api/docs/openai; `seed` and `frequency_penalty` are rejected by name:
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
      // Unknown fields are rejected, `stream_options.include_usage` and `max_completion_tokens` among them; the last chunk
      // always has the usage: https://github.com/TabbyML/tabby/pull/4082
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

/** Providers by name: the known ones, with the fields of the user's own providers replacing theirs. */
export function providerTable(own: readonly Provider[] = []): ReadonlyMap<string, Provider> {
  const table = new Map(knownProviders().map((provider) => [provider.name, provider]))
  for (const provider of own) table.set(provider.name, { ...table.get(provider.name), ...provider })
  return table
}
