/** A variable that holds a base URL, and the path below the proxy that its readers expect. */
interface BaseURLVariable {
  variable: string
  path: string
}

/** How programs find a provider. */
export interface Provider {
  /** The name of its upstream, which is the first segment of its paths. */
  name: string
  /** Variables with its key, which programs get as a token. Messages name the first one. */
  keys: readonly string[]
  /** Further variables with its key, which programs get only if they are set: they would change which provider is chosen. */
  otherKeys?: readonly string[]
  /** A variable with a token that is sent as `authorization: Bearer`, as some gateways want it. */
  bearer?: string
  baseURLs: readonly BaseURLVariable[]
  /** Variables that select the billed account, and the header of each. They belong to the key. */
  headers?: Readonly<Record<string, string>>
  /** Its base URL contains a name that the customer chose, so it exists only if a variable or `--upstream` sets it. */
  needsBaseURL?: boolean
}

/**
 * The providers whose calls `p2 run` caps, and the variables that SDKs read. As of 2026-11-30, from the sources of the SDKs:
 * - openai: github.com/openai/openai-node `src/client.ts`; @ai-sdk/openai; `OPENAI_API_BASE`: LangChain for Python and LiteLLM
 * - anthropic: github.com/anthropics/anthropic-sdk-typescript `src/client.ts`; `ANTHROPIC_API_URL`: LangChain for Python
 * - gemini: github.com/googleapis/js-genai `src/_base_url.ts` and `src/node/node_client.ts`; @ai-sdk/google reads a key only
 * - groq: github.com/groq/groq-typescript `src/index.ts`; together: github.com/togethercomputer/together-typescript
 *   `src/index.ts`; cerebras: github.com/Cerebras/cerebras-cloud-sdk-node `src/index.ts`
 * - `…_API_BASE`: docs.litellm.ai/docs/providers; the others: what programs of the provider's own examples read
 */
export const PROVIDERS: readonly Provider[] = [
  {
    name: "openai",
    keys: ["OPENAI_API_KEY"],
    otherKeys: ["CODEX_API_KEY"],
    baseURLs: [
      { variable: "OPENAI_BASE_URL", path: "/openai/v1" },
      { variable: "OPENAI_API_BASE", path: "/openai/v1" },
    ],
    headers: { OPENAI_ORG_ID: "openai-organization", OPENAI_PROJECT_ID: "openai-project" },
  },
  {
    name: "anthropic",
    keys: ["ANTHROPIC_API_KEY"],
    bearer: "ANTHROPIC_AUTH_TOKEN",
    baseURLs: [
      { variable: "ANTHROPIC_BASE_URL", path: "/anthropic" },
      { variable: "ANTHROPIC_API_BASE", path: "/anthropic" },
      { variable: "ANTHROPIC_API_URL", path: "/anthropic" },
    ],
  },
  {
    name: "gemini",
    keys: ["GEMINI_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY"],
    // Google's SDKs warn if both are set.
    otherKeys: ["GOOGLE_API_KEY"],
    baseURLs: [
      { variable: "GOOGLE_GEMINI_BASE_URL", path: "/gemini" },
      { variable: "GEMINI_API_BASE", path: "/gemini/v1beta" },
    ],
  },
  {
    name: "openrouter",
    keys: ["OPENROUTER_API_KEY"],
    baseURLs: [
      { variable: "OPENROUTER_BASE_URL", path: "/openrouter/api/v1" },
      { variable: "OPENROUTER_API_BASE", path: "/openrouter/api/v1" },
    ],
  },
  {
    name: "groq",
    keys: ["GROQ_API_KEY"],
    baseURLs: [
      // Its SDK appends `/openai/v1`, other programs do not; the proxy serves both.
      { variable: "GROQ_BASE_URL", path: "/groq" },
      { variable: "GROQ_API_BASE", path: "/groq/openai/v1" },
    ],
  },
  {
    name: "mistral",
    keys: ["MISTRAL_API_KEY"],
    baseURLs: [
      { variable: "MISTRAL_BASE_URL", path: "/mistral/v1" },
      { variable: "MISTRAL_API_BASE", path: "/mistral/v1" },
    ],
  },
  {
    name: "deepseek",
    keys: ["DEEPSEEK_API_KEY"],
    baseURLs: [
      { variable: "DEEPSEEK_BASE_URL", path: "/deepseek/v1" },
      { variable: "DEEPSEEK_API_BASE", path: "/deepseek/v1" },
    ],
  },
  {
    name: "xai",
    keys: ["XAI_API_KEY"],
    otherKeys: ["GROK_API_KEY"],
    baseURLs: [
      { variable: "XAI_BASE_URL", path: "/xai/v1" },
      { variable: "XAI_API_BASE", path: "/xai/v1" },
      { variable: "GROK_BASE_URL", path: "/xai/v1" },
    ],
  },
  {
    name: "together",
    keys: ["TOGETHER_API_KEY"],
    otherKeys: ["TOGETHERAI_API_KEY"],
    baseURLs: [
      { variable: "TOGETHER_BASE_URL", path: "/together/v1" },
      { variable: "TOGETHERAI_API_BASE", path: "/together/v1" },
    ],
  },
  {
    name: "cerebras",
    keys: ["CEREBRAS_API_KEY"],
    baseURLs: [
      { variable: "CEREBRAS_BASE_URL", path: "/cerebras" },
      { variable: "CEREBRAS_API_BASE", path: "/cerebras/v1" },
    ],
  },
  {
    name: "fireworks",
    keys: ["FIREWORKS_API_KEY"],
    otherKeys: ["FIREWORKS_AI_API_KEY"],
    baseURLs: [
      { variable: "FIREWORKS_BASE_URL", path: "/fireworks/inference/v1" },
      { variable: "FIREWORKS_API_BASE", path: "/fireworks/inference/v1" },
    ],
  },
  {
    name: "perplexity",
    keys: ["PERPLEXITY_API_KEY"],
    otherKeys: ["PPLX_API_KEY", "PERPLEXITYAI_API_KEY"],
    baseURLs: [
      { variable: "PERPLEXITY_BASE_URL", path: "/perplexity" },
      { variable: "PERPLEXITYAI_API_BASE", path: "/perplexity" },
    ],
  },
  {
    name: "moonshotai",
    keys: ["MOONSHOT_API_KEY"],
    baseURLs: [
      { variable: "MOONSHOT_BASE_URL", path: "/moonshotai/v1" },
      { variable: "MOONSHOT_API_BASE", path: "/moonshotai/v1" },
    ],
  },
  {
    name: "voyageai",
    keys: ["VOYAGE_API_KEY"],
    baseURLs: [{ variable: "VOYAGE_API_BASE", path: "/voyageai/v1" }],
  },
  {
    name: "azure",
    keys: ["AZURE_OPENAI_API_KEY"],
    otherKeys: ["AZURE_API_KEY"],
    baseURLs: [
      { variable: "AZURE_OPENAI_ENDPOINT", path: "/azure" },
      { variable: "AZURE_API_BASE", path: "/azure" },
    ],
    needsBaseURL: true,
  },
]

/** A provider that is not in the table: `acme` reads `ACME_API_KEY` and `ACME_BASE_URL`. */
export function providerNamed(name: string): Provider {
  const prefix = name.toUpperCase().replaceAll("-", "_")
  return (
    PROVIDERS.find((each) => each.name === name) ?? {
      name,
      keys: [`${prefix}_API_KEY`],
      baseURLs: [{ variable: `${prefix}_BASE_URL`, path: `/${name}/v1` }],
    }
  )
}

/** The variables with a key of a provider. */
export function keyVariablesOf({ keys, otherKeys = [], bearer }: Provider): string[] {
  return [...keys, ...otherKeys, ...(bearer === undefined ? [] : [bearer])]
}
