import { parseModelId } from "@p2/core"
import { KNOWN_PROVIDERS } from "@p2/guard/protocols"

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

/** What the client needs to know about a provider, in addition to the facts in guard's table. */
const CLIENT_FACTS: Readonly<Record<string, Partial<Provider> | undefined>> = {
  openai: { serviceTier: "default" },
  openrouter: { dialect: "openrouter" },
  // The compatibility layer ignores schemas: https://docs.anthropic.com/en/api/openai-sdk
  anthropic: { dialect: "anthropic", modes: ["json_schema", "tool", "prompt"] },
  // `seed` and `frequency_penalty` are rejected by name: https://github.com/Vali-98/ChatterUI/issues/227
  gemini: { keyVariables: ["GEMINI_API_KEY", "GOOGLE_API_KEY"] },
  azure: {
    baseURLVariables: ["AZURE_BASE_URL", "AZURE_OPENAI_BASE_URL"],
    keyVariables: ["AZURE_OPENAI_API_KEY", "AZURE_API_KEY"],
  },
  // https://console.groq.com/docs/service-tiers
  groq: { serviceTier: "on_demand" },
  mistral: { seedField: "random_seed" },
  // `response_format` is text or json_object.
  deepseek: { modes: ["tool", "json_object", "prompt"] },
  // "Requests with max_tokens > 4096 must have stream=true": https://github.com/nullclaw/nullclaw/pull/231
  fireworks: { maxUnstreamedTokens: 4096 },
  // https://docs.perplexity.ai/guides/structured-outputs
  perplexity: { modes: ["json_schema", "prompt"] },
  moonshotai: { keyVariables: ["MOONSHOT_API_KEY", "MOONSHOTAI_API_KEY"] },
  // `response_format` is text or json_object, and `tool_choice` can only be auto: https://docs.z.ai/api-reference/llm/chat-completion
  zai: { keyVariables: ["ZAI_API_KEY", "Z_AI_API_KEY"], modes: ["json_object", "prompt"] },
  // `response_format` is not documented: https://platform.minimax.io/docs/api-reference/text-openai-api
  minimax: { modes: ["tool", "prompt"] },
  ollama: { keyVariables: [] },
  lmstudio: { keyVariables: [] },
}

/** Providers in guard's table that have no chat completions. */
const WITHOUT_CHAT: readonly string[] = ["voyageai"]

/** The providers that the client knows, with their endpoints. No endpoint was called to check the facts. */
export function knownProviders(): readonly Provider[] {
  return KNOWN_PROVIDERS.filter(({ name }) => !WITHOUT_CHAT.includes(name)).map(
    ({ name, baseURL, limitFields, streamOptions }) => ({
      name,
      baseURL,
      maxTokensField: limitFields[0],
      streamOptions,
      ...CLIENT_FACTS[name],
    }),
  )
}

/** Providers by name: the known ones, with the fields of the user's own providers replacing theirs. */
export function providerTable(own: readonly Provider[] = []): ReadonlyMap<string, Provider> {
  const table = new Map(knownProviders().map((provider) => [provider.name, provider]))
  for (const provider of own) table.set(provider.name, { ...table.get(provider.name), ...provider })
  return table
}

/** The known provider at a host, regional hosts included; undefined: no provider is known there. */
export function knownProviderAt(host: string): string | undefined {
  return KNOWN_PROVIDERS.find(({ hosts }) => hosts?.test(host))?.name
}

/** The id with the client's own prefix: `gemini/…` for `Google/…`. Undefined: the client does not know the provider. */
export function withKnownPrefix(model: string, prefixes: Iterable<string>): string | undefined {
  const slash = model.indexOf("/")
  const { keys, name } = parseModelId(model.slice(0, slash).toLowerCase() + model.slice(slash))
  for (const prefix of prefixes) if (parseModelId(`${prefix}/${name}`).keys[0] === keys[0]) return `${prefix}/${name}`
  return undefined
}
