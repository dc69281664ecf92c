import type { NanoUsd } from "@p2/core"

/** A field of a chat completion that limits the output tokens. */
export type LimitField = "max_tokens" | "max_completion_tokens"

/** A provider whose API uses OpenAI's wire formats. */
export interface CompatibleProvider {
  /** As in usage entries and in the ids of prices. */
  name: string
  /** The URL before `/chat/completions`; absent: it contains a name that the customer chose (Azure). */
  baseURL?: string
  /** Further hosts: regions, and hosts that contain a name that the customer chose. */
  hosts?: RegExp
  /** The fields that the provider applies as a limit of all output, reasoning included. The first one is sent if a call has none. */
  limitFields: readonly LimitField[]
  /** Whether `stream_options.include_usage` may be sent. @defaultValue true */
  streamOptions?: boolean
  /** What the provider bills for a call of the Responses API that it rejects. @defaultValue 0 */
  rejectedResponseNanoUsd?: NanoUsd
}

const BOTH = ["max_completion_tokens", "max_tokens"] as const
const OLD_FIRST = ["max_tokens", "max_completion_tokens"] as const

/**
 * The providers with OpenAI's wire formats: the only table from hosts to providers. Facts come from the pages linked
 * next to them, or from the API reference on the provider's site.
 */
export const KNOWN_PROVIDERS: readonly CompatibleProvider[] = [
  {
    name: "openai",
    baseURL: "https://api.openai.com/v1",
    // https://developers.openai.com/api/docs/guides/data-residency
    hosts: /^[a-z]{2}\.api\.openai\.com$/,
    // `max_tokens` is deprecated, and the reasoning models reject it.
    limitFields: BOTH,
  },
  { name: "openrouter", baseURL: "https://openrouter.ai/api/v1", limitFields: OLD_FIRST },
  {
    name: "azure",
    // https://learn.microsoft.com/en-us/azure/ai-foundry/foundry-models/concepts/endpoints
    hosts: /\.(openai|cognitiveservices|services\.ai)\.azure\.(com|us|cn)$/,
    limitFields: BOTH,
  },
  // https://docs.anthropic.com/en/api/openai-sdk
  { name: "anthropic", baseURL: "https://api.anthropic.com/v1", limitFields: OLD_FIRST },
  // https://ai.google.dev/gemini-api/docs/openai
  { name: "gemini", baseURL: "https://generativelanguage.googleapis.com/v1beta/openai", limitFields: OLD_FIRST },
  // https://console.groq.com/docs/api-reference#chat
  { name: "groq", baseURL: "https://api.groq.com/openai/v1", limitFields: BOTH },
  {
    name: "mistral",
    baseURL: "https://api.mistral.ai/v1",
    // Unknown fields are rejected, `stream_options.include_usage` and `max_completion_tokens` among them; the last chunk
    // always has the usage: https://github.com/TabbyML/tabby/pull/4082
    limitFields: ["max_tokens"],
    streamOptions: false,
  },
  { name: "deepseek", baseURL: "https://api.deepseek.com/v1", limitFields: ["max_tokens"] },
  {
    name: "xai",
    baseURL: "https://api.x.ai/v1",
    hosts: /^[a-z]{2}(-[a-z]+-\d)?\.api\.x\.ai$/,
    // Only `max_completion_tokens` is documented to include reasoning: https://docs.x.ai/docs/api-reference
    limitFields: ["max_completion_tokens"],
    // "Usage guidelines violation fee" on https://docs.x.ai/developers/pricing, read on 2026-11-30.
    rejectedResponseNanoUsd: 50_000_000,
  },
  {
    name: "together",
    baseURL: "https://api.together.xyz/v1",
    hosts: /^([a-z]{2}-)?api\.together\.(ai|xyz)$/,
    limitFields: ["max_tokens"],
  },
  { name: "fireworks", baseURL: "https://api.fireworks.ai/inference/v1", limitFields: OLD_FIRST },
  { name: "perplexity", baseURL: "https://api.perplexity.ai", limitFields: ["max_tokens"] },
  { name: "cerebras", baseURL: "https://api.cerebras.ai/v1", limitFields: BOTH },
  { name: "moonshotai", baseURL: "https://api.moonshot.ai/v1", limitFields: ["max_tokens"] },
  // https://docs.z.ai/api-reference/llm/chat-completion
  { name: "zai", baseURL: "https://api.z.ai/api/paas/v4", limitFields: ["max_tokens"] },
  // `max_tokens` is deprecated: https://platform.minimax.io/docs/api-reference/text-openai-api
  { name: "minimax", baseURL: "https://api.minimax.io/v1", limitFields: BOTH },
  { name: "voyageai", baseURL: "https://api.voyageai.com/v1", limitFields: ["max_tokens"] },
  { name: "ollama", baseURL: "http://localhost:11434/v1", hosts: /^127\.0\.0\.1:11434$/, limitFields: ["max_tokens"] },
  { name: "lmstudio", baseURL: "http://localhost:1234/v1", hosts: /^127\.0\.0\.1:1234$/, limitFields: ["max_tokens"] },
]

/** Returns the provider at a host; undefined if the host is not in the table. A similar host is another host. */
export function providerAtHost(host: string): CompatibleProvider | undefined {
  return KNOWN_PROVIDERS.find(({ baseURL, hosts }) => baseURL?.split("/")[2] === host || hosts?.test(host))
}

/** Returns a provider by name. A provider that is not in the table gets OpenAI's older fields. */
export function providerNamed(name: string): CompatibleProvider {
  return KNOWN_PROVIDERS.find((each) => each.name === name) ?? { name, limitFields: ["max_tokens"] }
}
