import { countTexts } from "../counted-input"
import type { CallDescription, PricedCall, ProtocolContext, ProviderCall, Rejection } from "../protocol"
import { invalidBody } from "../rejection"
import { type BodyFields, checkFields, words } from "../variants/body-fields"
import type { CalledModel } from "../variants/called-model"
import { withOpenRouterFields } from "../variants/openrouter"
import { pricedCall, readJSONCall } from "../variants/priced-call"
import { EmbeddingsMeter } from "./embeddings-meter"

type Body = Readonly<Record<string, unknown>>

/**
 * OpenAI: https://platform.openai.com/docs/api-reference/embeddings/create, Mistral: https://docs.mistral.ai/api, Voyage:
 * https://docs.voyageai.com/reference/embeddings-api
 */
const FIELDS: BodyFields = {
  free: /* @__PURE__ */ words(
    "dimensions encoding_format metadata output_dimension output_dtype provider truncation user",
  ),
  read: /* @__PURE__ */ words("input input_type model"),
}

/** Tokens that mark the start and end of a text. */
const TOKENS_PER_INPUT = 4

/** Voyage puts a sentence of about ten tokens before each text: https://docs.voyageai.com/docs/embeddings */
const TOKENS_OF_INPUT_TYPE = 32

/** Describes a call to OpenAI's embeddings API, or to a provider with the same wire format. */
export function describeEmbeddings(call: ProviderCall, context: ProtocolContext): CallDescription | undefined {
  if (call.method !== "POST" || !call.url.pathname.endsWith("/embeddings")) return undefined
  const read = readJSONCall(call, context, "an embeddings call")
  if (read.status === "rejected") return read
  const { body, model } = read
  return (model.price.free ? undefined : checkFields(body, [FIELDS])) ?? describePriced(body, model)
}

function describePriced(body: Body, model: CalledModel): PricedCall | Rejection {
  const inputs = inputsOf(body.input)
  if (inputs === undefined) return invalidBody("input", "a string, strings, token numbers or arrays of token numbers")
  const added = TOKENS_PER_INPUT + ((body.input_type ?? undefined) === undefined ? 0 : TOKENS_OF_INPUT_TYPE)
  const texts = inputs.filter((each) => typeof each === "string")
  const counted = countTexts(texts, model)
  if (counted.status === "rejected") return counted
  const tokens = inputs.reduce((sum, each) => sum + (typeof each === "string" ? 0 : each.length), 0)
  const estimate = counted.estimate + tokens
  const upperBound = counted.upperBound + tokens + inputs.length * added
  return pricedCall(model, {
    input: { estimate, upperBound: Math.max(estimate, upperBound) },
    maxOutputTokens: 0,
    minOutputTokens: 0,
    boundOptions: {
      choices: 1,
      serviceTier: undefined,
      cacheWrites: "none",
      inputModalities: ["text"],
      outputModalities: ["text"],
    },
    streamed: false,
    bodyToSend: ({ maxPrice }) =>
      model.provider.name === "openrouter" ? withOpenRouterFields(body, maxPrice) : { ...body },
    createMeter: () => new EmbeddingsMeter(),
  })
}

/** Each text or token array of the input. */
function inputsOf(input: unknown): readonly (string | readonly number[])[] | undefined {
  if (typeof input === "string") return [input]
  if (!Array.isArray(input)) return undefined
  if (isTokens(input)) return [input]
  return input.every((each) => typeof each === "string" || isTokens(each)) ? input : undefined
}

function isTokens(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((each) => typeof each === "number")
}
