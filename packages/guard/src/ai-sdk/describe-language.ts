import { betasOf, checkBetas } from "../protocols/anthropic/fields"
import { countInput } from "../protocols/counted-input"
import type { CallTerms, Rejection } from "../protocols/protocol"
import { invalidBody, unbounded } from "../protocols/rejection"
import type { CalledModel } from "../protocols/variants/called-model"
import { rejectsBatchTier } from "../protocols/variants/service-tier"
import { calledModel, providerOf } from "./called-model"
import { promptInput } from "./input/prompt-input"
import { type ProviderOptions, readProviderOptions } from "./input/provider-options"
import { readProviderTools } from "./input/provider-tools"
import type { ModelGuard } from "./middleware-options"
import type { LanguageCall, SpecifiedModel } from "./specification"

/** A model call and its upper bound. */
export interface DescribedModelCall extends CallTerms {
  status: "described"
  /** The limit to send for a planned limit of the answer and its thinking. Undefined: the limit of the call. */
  limitToSend(planned: number | undefined): number | undefined
  /** The call states no service tier, so this one has to be sent. */
  tierToSend: string | undefined
}

/** Describes what a language model call can cost. */
export function describeLanguage(
  model: SpecifiedModel,
  call: LanguageCall,
  guard: ModelGuard,
): DescribedModelCall | Rejection {
  const called = calledModel(model, guard)
  if (called.status === "rejected") return called
  const rejection = checkLimit(call) ?? checkHeaders(call.headers)
  if (rejection !== undefined) return rejection
  const input = promptInput(call)
  if ("status" in input) return input
  const { provider } = called
  const free = guard.freeProviderOptions
  // Which options are read and sent depends on the package of the provider, not on the provider whose prices apply.
  const sdkProvider = providerOf(model)
  const options = readProviderOptions(call, input, { provider: sdkProvider, free })
  if (options.status === "rejected") return options
  const wrongTier = rejectsBatchTier(options.serviceTier)
  if (wrongTier !== undefined) return wrongTier
  const tools = readProviderTools(call.tools, input, called, options.maxToolCalls)
  if (tools.status === "rejected") return tools
  const counted = countInput(called, input)
  if (counted.status === "rejected") return counted
  const { passes } = tools
  // Results of tools that the provider runs become input of the next pass, up to the window.
  const upperBound = passes === 1 ? counted.upperBound : passes * Math.max(called.window!, counted.upperBound)
  const tier = serviceTierOf(options, called, sdkProvider === "openai" ? guard.serviceTier : undefined)
  return {
    status: "described",
    provider: provider.name,
    model: called.model,
    priceKey: called.priceKey,
    input: { estimate: counted.estimate, upperBound },
    ...outputLimits(call, options, called),
    rejectedNanoUsd: model.provider.endsWith(".responses") ? provider.rejectedResponseNanoUsd : undefined,
    tierToSend: tier.isSent ? tier.name : undefined,
    boundOptions: {
      ...tools.pieces,
      choices: tools.choices,
      serviceTier: tier.name,
      region: options.region ?? called.region,
      cacheWrites: cacheWritesOf(options, called, passes),
      inputModalities: input.modalities && [...input.modalities],
    },
  }
}

function checkLimit({ maxOutputTokens }: LanguageCall): Rejection | undefined {
  if (maxOutputTokens === undefined || maxOutputTokens === null) return undefined
  const isValid = Number.isSafeInteger(maxOutputTokens) && maxOutputTokens > 0
  return isValid ? undefined : invalidBody("maxOutputTokens", "an integer of at least 1")
}

/** Headers that change what a call costs. */
const COSTLY_HEADERS = ["x-vertex-ai-llm-shared-request-type", "x-vertex-ai-llm-request-type"]

/** An Anthropic beta can change prices, and a Vertex AI header selects the tier. */
export function checkHeaders(given: LanguageCall["headers"]): Rejection | undefined {
  const headers = new Headers(definedHeaders(given))
  const costly = COSTLY_HEADERS.find((name) => headers.has(name))
  if (costly !== undefined)
    return unbounded(
      `the header \`${costly}\``,
      "it selects another price",
      "Use `guardFetch` as `fetch` of the provider.",
    )
  return checkBetas(betasOf(headers, {}))
}

/** The headers of a call, without those that are undefined. */
export function definedHeaders(headers: LanguageCall["headers"] = {}): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers ?? {}).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
}

type OutputLimits = Pick<DescribedModelCall, "maxOutputTokens" | "minOutputTokens" | "limitToSend">

/**
 * The limit of the answer and its thinking. Providers of Anthropic's models send the sum of both; if the thinking is unknown,
 * only the model's maximum bounds it.
 */
function outputLimits(call: LanguageCall, { thinkingTokens }: ProviderOptions, called: CalledModel): OutputLimits {
  const { price } = called
  const own = call.maxOutputTokens ?? undefined
  if (thinkingTokens === "unknown") {
    const maximum = price.maxOutputTokens
    return { maxOutputTokens: maximum, minOutputTokens: maximum ?? 1, limitToSend: () => own }
  }
  return {
    maxOutputTokens: own === undefined ? undefined : own + thinkingTokens,
    minOutputTokens: thinkingTokens + 1,
    limitToSend: (planned) => (planned === undefined ? unstatedLimit(called) : Math.max(1, planned - thinkingTokens)),
  }
}

/**
 * The limit to send if the call has none: without one, Gemini's thoughts exceeded the maximum of the model
 * (https://github.com/googleapis/go-genai/issues/339). Other models keep their maximum.
 */
function unstatedLimit({ countedAs, price }: CalledModel): number | undefined {
  const isListed = price.maxOutputBasis === "listed" || price.basis === "custom"
  return isListed && /gemini/.test(countedAs) ? price.maxOutputTokens : undefined
}

interface ServiceTier {
  name: string | undefined
  isSent: boolean
}

/**
 * The service tier that decides the bound. OpenAI's provider omits a tier that it thinks the model does not have, so only
 * `default` is certain to be sent; for another one, every tier may apply.
 */
function serviceTierOf(
  { serviceTier }: ProviderOptions,
  { provider }: CalledModel,
  unstated: string | undefined,
): ServiceTier {
  switch (provider.name) {
    case "openai":
    case "azure":
      if (serviceTier === "default") return { name: "default", isSent: false }
      if (serviceTier === undefined && unstated === "default") return { name: "default", isSent: true }
      return { name: undefined, isSent: false }
    case "anthropic":
      return { name: serviceTier === "fast" ? "fast" : "default", isSent: false }
    case "gemini":
    case "google-vertex":
      return { name: serviceTier ?? "standard", isSent: false }
    default:
      return { name: serviceTier, isSent: false }
  }
}

/** Claude's models write to a cache only on request, at their own provider. Requests of other models are unknown. */
function cacheWritesOf(
  { cacheWrites }: ProviderOptions,
  { provider, countedAs }: CalledModel,
  passes: number,
): "any" | "5m" | "none" {
  const isOnRequest =
    /claude/.test(countedAs) && ["anthropic", "google-vertex", "amazon-bedrock"].includes(provider.name)
  if (!isOnRequest) return "any"
  // Anthropic caches the results of its own tools.
  return cacheWrites ?? (passes > 1 ? "5m" : "none")
}
