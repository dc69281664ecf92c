import { isRecord } from "@p2/core"
import type { Modality } from "@p2/pricing"
import { type CountableInput, countInput } from "../counted-input"
import type { CallDescription, PricedCall, ProtocolContext, ProviderCall, Rejection } from "../protocol"
import { invalidBody } from "../rejection"
import { checkFields, countedFields, unknownField } from "../variants/body-fields"
import { checkCacheTime } from "../variants/cache-time"
import type { CalledModel } from "../variants/called-model"
import type { LimitField } from "../variants/known-providers"
import { readOpenRouterFields, withOpenRouterFields } from "../variants/openrouter"
import { pricedCall, readJSONCall } from "../variants/priced-call"
import { serviceTierOf } from "../variants/service-tier"
import { ChatCompletion } from "./chat-completion"
import { chatFieldsOf } from "./chat-fields"
import { countableChat } from "./countable-chat"

type Body = Readonly<Record<string, unknown>>

/** Margin for the instructions of `safe_prompt` and `prompt_mode`, which Mistral adds: its published prompts have up to 400 tokens. */
const MISTRAL_PROMPT_TOKENS = 1_024

/** Results of xAI's live search if the call states none: https://docs.x.ai/docs/guides/live-search */
const LIVE_SEARCH_RESULTS = 20

/** Describes a chat completion at OpenAI, or at a provider with the same wire format. */
export function describeChat(call: ProviderCall, context: ProtocolContext): CallDescription | undefined {
  if (call.method !== "POST" || !call.url.pathname.endsWith("/chat/completions")) return undefined
  const read = readJSONCall(call, context, "a chat completion")
  if (read.status === "rejected") return read
  const { body, model } = read
  const tables = chatFieldsOf(model.provider.name)
  // A model on the caller's own machine is free, regardless of the fields.
  const rejection = model.price.free
    ? undefined
    : (checkFields(withoutSearchOfFixedPrice(body, model), tables) ?? checkCacheTime(body, model, false))
  if (rejection !== undefined) return rejection
  const input = countableChat(body)
  if ("status" in input) return input
  input.otherText.push(...countedFields(body, tables))
  const variant = readVariant(body, model, input)
  if (variant.status === "rejected") return variant
  return describePriced({ call, body, model, input, variant, context })
}

/** The request fee of OpenAI's search models includes each request's one search. */
function withoutSearchOfFixedPrice(body: Body, { provider, price }: CalledModel): Body {
  if (provider.name !== "openai" || !((price.rates.request ?? 0) > 0)) return body
  const { web_search_options: _searched, ...rest } = body
  return rest
}

/** What the fields of one provider add to a call. */
interface Variant {
  status: "read"
  webSearches: number
  /** Tokens of reasoning that the output limit must exceed. */
  reasoningTokens: number
}

function readVariant(body: Body, { provider }: CalledModel, input: CountableInput): Variant | Rejection {
  const plain: Variant = { status: "read", webSearches: 0, reasoningTokens: 0 }
  switch (provider.name) {
    case "openrouter":
      return readOpenRouterFields(body, input)
    case "xai":
      return { ...plain, webSearches: liveSearches(body.search_parameters, input) }
    case "anthropic":
      return { ...plain, reasoningTokens: thinkingBudget(body.thinking) }
    case "mistral":
      if (body.safe_prompt === true) input.addedTokens += MISTRAL_PROMPT_TOKENS
      if ((body.prompt_mode ?? undefined) !== undefined) input.addedTokens += MISTRAL_PROMPT_TOKENS
      return plain
    case "gemini":
      return readGeminiExtra(body.extra_body, input) ?? plain
    default:
      return plain
  }
}

function liveSearches(parameters: unknown, input: CountableInput): number {
  if (!isRecord(parameters) || parameters.mode === "off") return 0
  input.unseen.push("the results of `search_parameters`")
  const { max_search_results: results } = parameters
  const isCount = typeof results === "number" && Number.isSafeInteger(results) && results >= 0
  return isCount ? results : LIVE_SEARCH_RESULTS
}

function thinkingBudget(thinking: unknown): number {
  const budget = isRecord(thinking) ? thinking.budget_tokens : undefined
  return typeof budget === "number" && Number.isSafeInteger(budget) && budget > 0 ? budget : 0
}

/** https://ai.google.dev/gemini-api/docs/openai#extra-body */
function readGeminiExtra(extra: unknown, input: CountableInput): Rejection | undefined {
  const google = isRecord(extra) ? (extra.google ?? {}) : {}
  for (const name of Object.keys(isRecord(google) ? google : {}))
    if (name === "cached_content") input.unseen.push("`extra_body.google.cached_content`")
    else if (name !== "thinking_config" && name !== "thought_tag_marker")
      return unknownField(`extra_body.google.${name}`)
  return undefined
}

/** A call that has been read. */
interface ReadChat {
  call: ProviderCall
  body: Body
  model: CalledModel
  input: CountableInput
  variant: Variant
  context: ProtocolContext
}

function describePriced({ call, body, model, input, variant, context }: ReadChat): PricedCall | Rejection {
  const { webSearches, reasoningTokens } = variant
  const { provider } = model
  const choices = body.n ?? 1
  if (!Number.isSafeInteger(choices) || (choices as number) < 1) return invalidBody("n", "an integer of at least 1")
  const limit = outputLimit(body, model)
  if (limit.status === "rejected") return limit
  const serviceTier = serviceTierOf(body, model, context)
  if (serviceTier.status === "rejected") return serviceTier
  const counted = countInput(model, input)
  if (counted.status === "rejected") return counted
  const isStreamed = body.stream === true
  return pricedCall(model, {
    input: {
      estimate: counted.estimate,
      upperBound: counted.upperBound,
      prompt: counted.isShown ? { isShown: true, passes: 1 } : undefined,
    },
    maxOutputTokens: limit.tokens,
    minOutputTokens: reasoningTokens + 1,
    boundOptions: {
      choices: choices as number,
      webSearches,
      serviceTier: serviceTier.name,
      cacheWrites: cacheWritesOf(body),
      inputModalities: input.modalities && [...input.modalities],
      outputModalities: outputModalities(body, provider.name),
    },
    streamed: isStreamed,
    bodyToSend: ({ maxOutputTokens, maxPrice }) => {
      const sent = withLimit(body, limit.fields, maxOutputTokens ?? limit.tokens)
      if (serviceTier.isSent) sent.service_tier = serviceTier.name
      if (isStreamed && provider.streamOptions !== false && !isOldAzure(call.url))
        sent.stream_options = { ...(isRecord(body.stream_options) ? body.stream_options : {}), include_usage: true }
      return provider.name === "openrouter" ? withOpenRouterFields(sent, maxPrice) : sent
    },
    createMeter: () => new ChatCompletion({ provider: provider.name }),
  })
}

/** The output limit of a call, and the fields in which it is sent. */
interface OutputLimit {
  status: "read"
  tokens: number | undefined
  fields: readonly LimitField[]
}

const LIMIT_FIELDS: readonly LimitField[] = ["max_tokens", "max_completion_tokens"]

/**
 * Reads the output limit. A limit in a field that the provider may ignore is sent in the field that it applies, so that it holds.
 */
function outputLimit(body: Body, model: CalledModel): OutputLimit | Rejection {
  const { provider } = model
  const stated = LIMIT_FIELDS.filter((field) => (body[field] ?? undefined) !== undefined)
  const wrong = stated.find((field) => !Number.isSafeInteger(body[field]) || (body[field] as number) < 1)
  if (wrong !== undefined) return invalidBody(wrong, "an integer of at least 1")
  const applied = stated.filter((field) => provider.limitFields.includes(field))
  const values = (applied.length > 0 ? applied : stated).map((field) => body[field] as number)
  // A prediction is not supported together with `max_completion_tokens`:
  // https://platform.openai.com/docs/guides/predicted-outputs#limitations
  const first = isRecord(body.prediction) ? "max_tokens" : provider.limitFields[0]!
  return {
    status: "read",
    tokens: values.length === 0 ? unstatedLimit(model) : Math.max(...values),
    fields: applied.length > 0 ? applied : [first],
  }
}

/**
 * The limit to send if the call has none: without one, Gemini's thoughts exceeded the maximum of the model
 * (https://github.com/googleapis/go-genai/issues/339). Other models keep their maximum.
 */
function unstatedLimit({ countedAs, price }: CalledModel): number | undefined {
  const isListed = price.maxOutputBasis === "listed" || price.basis === "custom"
  return isListed && /(^|\/)(google|gemini)\//.test(countedAs) ? price.maxOutputTokens : undefined
}

function withLimit(body: Body, fields: readonly LimitField[], tokens: number | undefined): Record<string, unknown> {
  const sent: Record<string, unknown> = { ...body }
  if (tokens === undefined) return sent
  for (const field of LIMIT_FIELDS)
    if (fields.includes(field)) sent[field] = tokens
    else delete sent[field]
  return sent
}

/** Only OpenRouter and Claude's gateways write to a cache on request; the default time is 5 minutes. */
function cacheWritesOf(body: Body): "any" | "5m" | "none" {
  const marks = [body, ...blocksOf(body.messages), ...blocksOf(body.tools)].flatMap(({ cache_control }) =>
    isRecord(cache_control) ? [cache_control] : [],
  )
  if (marks.length === 0) return "none"
  return marks.every(({ ttl = "5m" }) => ttl === "5m") ? "5m" : "any"
}

/** Messages and tools, with the parts of their content. */
function blocksOf(list: unknown): Record<string, unknown>[] {
  if (!Array.isArray(list)) return []
  return list.filter(isRecord).flatMap((each) => [each, ...blocksOf(each.content), ...blocksOf([each.function])])
}

/** Undefined: the model may answer with every modality for which it has a rate. */
function outputModalities(body: Body, provider: string): Modality[] | undefined {
  if (!Array.isArray(body.modalities)) return provider === "openai" || provider === "azure" ? ["text"] : undefined
  const requested: readonly unknown[] = body.modalities
  return ["text", ...(["audio", "image"] as const).filter((modality) => requested.includes(modality))]
}

/** API versions before this one know neither `stream_options` nor `max_completion_tokens`. */
const AZURE_SINCE = "2024-09-01"

function isOldAzure({ searchParams }: URL): boolean {
  const version = searchParams.get("api-version")
  return version !== null && /^\d{4}-\d\d-\d\d/.test(version) && version < AZURE_SINCE
}
