import { isRecord } from "@p2/core"
import type { CountableInput } from "../../protocols/counted-input"
import { shownName } from "../../protocols/identifier"
import type { Rejection } from "../../protocols/protocol"
import { invalidBody, rejected, unbounded } from "../../protocols/rejection"
import { type BodyFields, words } from "../../protocols/variants/body-fields"
import type { Fields, LanguageCall } from "../specification"

/** What the options of providers add to a call. */
export interface ProviderOptions {
  status: "read"
  /** Undefined: the call states none. */
  serviceTier: string | undefined
  /** Anthropic's `inferenceGeo`. */
  region: string | undefined
  maxToolCalls: number | undefined
  /** Cache writes that the call requests; `undefined`: none. */
  cacheWrites: "5m" | "any" | undefined
  /** The thinking tokens in addition to the output limit; `unknown`: up to the maximum of the model. */
  thinkingTokens: number | "unknown"
}

const OPENAI: BodyFields = {
  free: words(
    "annotations autoCacheControl encoding_format dimensions forceReasoning imageDetail include includeWebSearchSources itemId logitBias logprobs maxToolCalls metadata outputFormat outputCompression parallelToolCalls phase promptCacheKey promptCacheRetention reasoningEffort reasoningEncryptedContent reasoningSummary responseId safetyIdentifier serviceTier store strictJsonSchema structuredOutputs systemMessageMode textVerbosity truncation user background moderation quality style size",
  ),
  counted: words("instructions parallelToolCall"),
  rejected: {
    maxCompletionTokens: {
      because: "it replaces the limit that the middleware reserves",
      remedy: "Set `maxOutputTokens` of the call.",
    },
    prediction: {
      because: "rejected predictions are billed in addition to the answer",
      remedy: "Use `guardFetch` as `fetch` of the provider.",
    },
    contextManagement: {
      because: "the model runs further passes to compact the conversation",
      remedy: "Summarize in a separate call.",
    },
  },
}

const ANTHROPIC: BodyFields = {
  free: words(
    "allowedCallers anthropicBeta citations cacheControl deferLoading disableParallelToolUse eagerInputStreaming effort includePings inferenceGeo metadata sendReasoning serviceTier speed strict structuredOutputMode thinking toolStreaming",
  ),
  counted: words("caller context redactedData signature taskBudget title type"),
  rejected: {
    mcpServers: {
      because: "the servers decide how many tokens their tools and results have",
      remedy: "Connect to the servers in your code and pass their tools in `tools`.",
    },
    fallbacks: {
      because: "every model in the chain is billed",
      remedy: "Call the next model in your code.",
    },
    container: { because: "it is billed by time", remedy: "Run code in a tool of your own." },
    compaction: {
      because: "no documented limit holds for the length of the summary",
      remedy: "Summarize in a separate call.",
    },
    contextManagement: {
      when: (value) => JSON.stringify(value).includes("compact"),
      because: "a summary of any length is billed",
      remedy: "Summarize in a separate call.",
    },
  },
}

const GOOGLE: BodyFields = {
  free: words(
    "audioTimestamp imageConfig labels mediaResolution outputDimensionality responseModalities retrievalConfig safetySettings serviceTier streamFunctionCallArguments structuredOutputs taskType thinkingConfig threshold aspectRatio personGeneration",
  ),
  counted: words("thoughtSignature thought"),
}

const BEDROCK: BodyFields = {
  free: words("cachePoint citations reasoningConfig serviceTier"),
  counted: words("redactedData signature"),
  rejected: {
    guardrailConfig: { because: "guardrails are billed separately", remedy: "Omit it." },
  },
}

/** The options that each namespace understands. */
const NAMESPACES: Readonly<Record<string, BodyFields>> = {
  openai: OPENAI,
  azure: OPENAI,
  anthropic: ANTHROPIC,
  google: GOOGLE,
  vertex: GOOGLE,
  googleVertex: GOOGLE,
  bedrock: BEDROCK,
  amazonBedrock: BEDROCK,
}

/** Options that change the cost at no AI SDK provider. */
const ANYWHERE: BodyFields = {
  free: words(
    "frequencyPenalty logprobs parallelToolCalls presencePenalty reasoningEffort reasoningFormat seed strictJsonSchema structuredOutputs user",
  ),
}

/** Options that refer to turns or files that the provider stores. */
const STORED = words("previousResponseId conversation cachedContent")

/** Providers whose output limit includes the reasoning, however it is requested. */
const LIMIT_INCLUDES_REASONING = words(
  "openai azure gemini groq xai mistral deepseek cerebras perplexity together fireworks moonshotai",
)

/** The options of one provider, and their place in the call. */
interface FoundOptions {
  namespace: string
  options: Fields
  path: string
}

/**
 * Reads the options of providers in a call, its messages, parts and tools. An option that is not understood is rejected by
 * name, because a provider may send it unchanged.
 */
export function readProviderOptions(
  call: LanguageCall & { values?: unknown; files?: unknown },
  input: CountableInput,
  { provider, free }: { provider: string; free: ReadonlySet<string> },
): ProviderOptions | Rejection {
  const { providerOptions, prompt, tools } = call
  const found = [...optionsIn({ providerOptions }, ""), ...optionsIn(prompt, "prompt"), ...optionsIn(tools, "tools")]
  const own = ownOptions(found, provider)
  const isStoring = own.store !== false
  for (const each of found) {
    const rejection = checkOptions(each, input, free) ?? addHidden(each, input, isStoring)
    if (rejection !== undefined) return rejection
  }
  const { maxToolCalls } = own
  if (isGiven(maxToolCalls) && !(Number.isSafeInteger(maxToolCalls) && (maxToolCalls as number) >= 0))
    return invalidBody("providerOptions.openai.maxToolCalls", "an integer of at least 0")
  return {
    status: "read",
    serviceTier: tierOf(own),
    region: typeof own.inferenceGeo === "string" ? own.inferenceGeo : undefined,
    maxToolCalls: (maxToolCalls ?? undefined) as number | undefined,
    cacheWrites: cacheWritesOf(found),
    thinkingTokens: thinkingTokens(found, call.reasoning, provider),
  }
}

/**
 * The namespaces that each provider reads, the first one first. Every other provider reads the one with its own name.
 */
const OWN_NAMESPACES: Readonly<Record<string, readonly string[]>> = {
  azure: ["azure", "openai"],
  gemini: ["google"],
  "google-vertex": ["googleVertex", "vertex", "google", "anthropic"],
  "amazon-bedrock": ["amazonBedrock", "bedrock", "anthropic"],
}

/** The options of the call that its provider reads. Options of other providers must not lower the bound. */
function ownOptions(found: readonly FoundOptions[], provider: string): Fields {
  const ofCall = found.filter(({ path }) => path === "providerOptions")
  const names = OWN_NAMESPACES[provider] ?? [provider]
  return names.map((name) => ofCall.find(({ namespace }) => namespace === name)?.options).find(isGiven) ?? {}
}

/** The deepest level of a call that has options: a part of the output of a tool's result. */
const MAX_DEPTH = 8

function optionsIn(value: unknown, path: string, depth = 0): FoundOptions[] {
  if (typeof value !== "object" || value === null || depth > MAX_DEPTH || ArrayBuffer.isView(value)) return []
  if (Array.isArray(value)) return value.flatMap((each, index) => optionsIn(each, `${path}[${index}]`, depth + 1))
  const { providerOptions, content, output, value: inner } = value as Fields
  const at = path === "" ? "providerOptions" : `${path}.providerOptions`
  const own = Object.entries(isRecord(providerOptions) ? providerOptions : {}).flatMap(([namespace, options]) =>
    isRecord(options) ? [{ namespace, options, path: at }] : [],
  )
  return [
    ...own,
    ...optionsIn(content, `${path}.content`, depth + 1),
    ...optionsIn(output, `${path}.output`, depth + 1),
    ...(Array.isArray(inner) ? optionsIn(inner, `${path}.value`, depth + 1) : []),
  ]
}

function checkOptions(
  { namespace, options, path }: FoundOptions,
  input: CountableInput,
  free: ReadonlySet<string>,
): Rejection | undefined {
  const table = Object.hasOwn(NAMESPACES, namespace) ? NAMESPACES[namespace]! : ANYWHERE
  for (const [name, value] of Object.entries(options)) {
    if (!isGiven(value) || free.has(`${namespace}.${name}`)) continue
    const at = `\`${path}.${shownPart(namespace)}.${shownPart(name)}\``
    const rule = Object.hasOwn(table.rejected ?? {}, name) ? table.rejected?.[name] : undefined
    if (rule !== undefined && (rule.when?.(value) ?? true)) return unbounded(at, rule.because, rule.remedy)
    if (STORED.has(name)) {
      input.unseen.push(at)
      input.modalities = undefined
    } else if (table.counted?.has(name)) input.otherText.push(JSON.stringify({ [name]: value }))
    else if (rule === undefined && !table.free?.has(name) && !ANYWHERE.free?.has(name))
      return rejected(
        "unknown-field",
        `Unknown option ${at}: it may change the cost. Omit it, or add "${shownPart(namespace)}.${shownPart(name)}" to \`freeProviderOptions\` if it does not.`,
      )
  }
  return undefined
}

/** Adds what the call does not show: items that OpenAI stores, encrypted reasoning, and the markup of cited documents. */
function addHidden({ options, path }: FoundOptions, input: CountableInput, isStoring: boolean): undefined {
  const { itemId, citations, reasoningEncryptedContent: encrypted } = options
  if (typeof encrypted === "string") input.addedTokens += 2 * encrypted.length
  // Without storage the parts themselves are sent. A stored item is sent by its id alone.
  if (isGiven(itemId) && isStoring) input.unseen.push(`\`${path}\``)
  if (isRecord(citations) && citations.enabled === true) input.unseen.push(`\`${path}\``)
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null
}

/** A name may be any string that the caller chose. */
function shownPart(name: string): string {
  const shown = shownName(name)
  return shown.startsWith("`") ? shown.slice(1, -1) : "?"
}

/** Anthropic's `auto` and `standard_only` have the same price. */
function tierOf({ speed, serviceTier }: Fields): string | undefined {
  if (speed === "fast") return "fast"
  if (typeof serviceTier !== "string") return undefined
  const tier = serviceTier.toLowerCase().replace(/^service_tier_/, "")
  return tier === "standard_only" ? "default" : tier
}

/** Anthropic's `cacheControl` and Bedrock's `cachePoint`, of 5 minutes unless they say otherwise. */
function cacheWritesOf(found: readonly FoundOptions[]): "5m" | "any" | undefined {
  const marks = found.flatMap(({ options }) =>
    [options.cacheControl, options.cache_control, options.cachePoint].filter(isGiven),
  )
  if (marks.length === 0) return undefined
  return marks.every((mark) => isRecord(mark) && (mark.ttl ?? "5m") === "5m") ? "5m" : "any"
}

/**
 * The thinking tokens that a provider adds to the output limit: those of Anthropic and Bedrock send the sum as
 * `max_tokens`. The behavior of other providers is unknown.
 */
function thinkingTokens(found: readonly FoundOptions[], reasoning: unknown, provider: string): number | "unknown" {
  const budgets = found.flatMap(({ options }) => [options.thinking, options.reasoningConfig].filter(isRecord))
  let added: number | "unknown" = 0
  for (const { type, budgetTokens } of budgets) {
    if (type === "disabled") continue
    if (type === "adaptive" || type === "between_tools") continue
    if (!Number.isSafeInteger(budgetTokens) || (budgetTokens as number) < 0) return "unknown"
    added = Math.max(added, budgetTokens as number)
  }
  const isRequested = typeof reasoning === "string" && reasoning !== "none" && reasoning !== "provider-default"
  return isRequested && !LIMIT_INCLUDES_REASONING.has(provider) ? "unknown" : added
}
