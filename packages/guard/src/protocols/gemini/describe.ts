import { jsonPart, sumParts, tokensPart, unseenPart } from "../prompt-parts"
import type { CallDescription, PricedCall, ProtocolContext, ProviderCall, Rejection } from "../protocol"
import { invalidBody, noJSON } from "../rejection"
import { checkFields } from "../variants/body-fields"
import { type CalledModel, calledModel } from "../variants/called-model"
import { pricedCall } from "../variants/priced-call"
import { rejectsBatchTier } from "../variants/service-tier"
import { camelKeys } from "./camel-keys"
import { contentParts, contentsParts, type GeminiPart } from "./content"
import { describeEmbedding } from "./embeddings"
import { REQUEST_FIELDS, readConfig, readModalities } from "./fields"
import { ContentMeter } from "./meter"
import { targetOf } from "./paths"
import { readTools } from "./tools"

type Body = Readonly<Record<string, unknown>>

/** Describes a call to the Gemini API, also on Vertex AI. */
export function describeGemini(call: ProviderCall, context: ProtocolContext): CallDescription | undefined {
  const target = targetOf(call, context)
  if (target.status !== "method") return target.status === "other" ? undefined : target.description
  if (call.body.kind !== "json") return noJSON("a call of `generateContent`")
  const model = calledModel(call, { model: target.model }, { ...context, ...target.seller })
  if (model.status === "rejected") return model
  const called = { ...model, ...target.region }
  const { value } = call.body
  if (target.method === "embedContent" || target.method === "batchEmbedContents")
    return describeEmbedding(value, called)
  return describeContent(call, value, called, target.streamed)
}

/** Tokens of a request in addition to its parts. */
const REQUEST = tokensPart(1, 32)
/** Tokens that a schema of the answer may add to its JSON. They are not published. */
const SCHEMA = tokensPart(10, 256)

function describeContent(
  call: ProviderCall,
  original: Body,
  model: CalledModel,
  streamed: boolean,
): PricedCall | Rejection {
  const body = camelKeys(original)
  const wrong = checkFields(body, [REQUEST_FIELDS])
  if (wrong !== undefined) return wrong
  const read = readConfig(body.generationConfig)
  if (read.status === "rejected") return read
  const { config } = read
  const tools = readTools(body.tools, model)
  if (tools.status === "rejected") return tools
  const modalities = readModalities(config.responseModalities)
  if (modalities.status === "rejected") return modalities
  const limits = readLimits(config)
  if (limits.status === "rejected") return limits
  const serviceTier = serviceTierOf(call, body)
  const wrongTier = rejectsBatchTier(serviceTier)
  if (wrongTier !== undefined) return wrongTier
  const parts: GeminiPart[] = [
    REQUEST,
    ...contentParts(body.systemInstruction, "systemInstruction"),
    ...contentsParts(body.contents),
    ...tools.parts,
    ...schemasOf(config).flatMap((schema) => [...jsonPart(schema), SCHEMA]),
    ...((body.cachedContent ?? undefined) === undefined ? [] : [cachedPart()]),
  ]
  const prompt = sumParts(parts, model)
  if (prompt.status === "rejected") return prompt
  return pricedCall(model, {
    input: {
      estimate: prompt.estimate,
      upperBound: prompt.upperBound,
      // No count includes cached contents or what Google's tools add.
      prompt: prompt.isShown ? { isShown: true, passes: 1 } : undefined,
    },
    maxOutputTokens: limits.maxOutputTokens,
    minOutputTokens: 1,
    boundOptions: {
      choices: limits.candidates,
      webSearches: tools.webSearches,
      serviceTier,
      inputModalities: parts.some(({ mayHaveAudio }) => mayHaveAudio) ? undefined : ["text", "image"],
      outputModalities: modalities.modalities,
    },
    streamed,
    bodyToSend: ({ maxOutputTokens = limits.maxOutputTokens ?? certainMaximum(model) }) =>
      withLimit(original, config, maxOutputTokens),
    createMeter: () => new ContentMeter({ model: model.countedAs, candidates: limits.candidates }),
  })
}

function cachedPart(): GeminiPart {
  return { ...unseenPart("`cachedContent`"), mayHaveAudio: true }
}

function schemasOf({ responseSchema, responseJsonSchema, responseFormat }: Body): unknown[] {
  return [responseSchema, responseJsonSchema, responseFormat].filter((schema) => (schema ?? undefined) !== undefined)
}

interface Limits {
  status: "read"
  maxOutputTokens: number | undefined
  candidates: number
}

function readLimits({ maxOutputTokens, candidateCount }: Body): Limits | Rejection {
  const limit = maxOutputTokens ?? undefined
  if (limit !== undefined && !isPositive(limit))
    return invalidBody("generationConfig.maxOutputTokens", "an integer of at least 1")
  const candidates = candidateCount ?? 1
  if (!isPositive(candidates)) return invalidBody("generationConfig.candidateCount", "an integer of at least 1")
  return { status: "read", maxOutputTokens: limit as number | undefined, candidates: candidates as number }
}

function isPositive(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) > 0
}

/**
 * The limit to send if the call has none. Thoughts and the answer share `maxOutputTokens`, whereas `thinkingBudget` is not
 * kept: without a limit, thoughts exceeded the model's own maximum (https://github.com/googleapis/go-genai/issues/339).
 * @see https://github.com/googleapis/python-genai/issues/2062 (measured for Gemini 3) and
 * https://github.com/vectorize-io/hindsight/issues/3365 (for Gemini 3.6), as of 2026-08-10
 */
function certainMaximum({ price }: CalledModel): number | undefined {
  return price.maxOutputBasis === "listed" || price.basis === "custom" ? price.maxOutputTokens : undefined
}

/** The body with an output limit. */
function withLimit(body: Body, config: Body, maxOutputTokens: number | undefined): Record<string, unknown> {
  if (maxOutputTokens === undefined) return { ...body }
  const { generation_config: _, ...sent } = body
  return { ...sent, generationConfig: { ...config, maxOutputTokens } }
}

/**
 * On Vertex AI a header selects the tier, in the Gemini API a field. The standard tier is the default.
 * @see https://cloud.google.com/vertex-ai/generative-ai/docs/priority-paygo (as of 2026-09)
 */
function serviceTierOf({ headers }: ProviderCall, { serviceTier }: Body): string {
  const names = [serviceTier, headers.get("x-vertex-ai-llm-shared-request-type")]
  const tier = names.find((name) => typeof name === "string" && name !== "")
  const name = typeof tier === "string" ? tier.toLowerCase().replace(/^service_tier_/, "") : "standard"
  return name === "unspecified" ? "standard" : name
}
