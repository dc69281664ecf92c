import { countTokens } from "@p2/tokens"
import type { CallDescription, PricedCall, ProtocolContext, ProviderCall, Rejection } from "../protocol"
import { invalidBody, rejected, rejectionOf } from "../rejection"
import { type BodyFields, checkFields, words } from "../variants/body-fields"
import { type CalledModel, calledModel } from "../variants/called-model"
import { withOpenRouterFields } from "../variants/openrouter"
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

/** Describes a call of OpenAI's embeddings API, or of a provider with the same wire format. */
export function describeEmbeddings(call: ProviderCall, context: ProtocolContext): CallDescription | undefined {
  if (call.method !== "POST" || !call.url.pathname.endsWith("/embeddings")) return undefined
  if (call.body.kind !== "json")
    return rejected("invalid-body", "The body of an embeddings call must be a JSON object.")
  const body = call.body.value
  const model = calledModel(call, body, context)
  if (model.status === "rejected") return model
  return (model.price.free ? undefined : checkFields(body, [FIELDS])) ?? describePriced(body, model)
}

function describePriced(body: Body, model: CalledModel): PricedCall | Rejection {
  const inputs = inputsOf(body.input)
  if (inputs === undefined) return invalidBody("input", "a string, strings, token numbers or arrays of token numbers")
  const added = TOKENS_PER_INPUT + ((body.input_type ?? undefined) === undefined ? 0 : TOKENS_OF_INPUT_TYPE)
  let estimate = 0
  let upperBound = 0
  try {
    for (const each of inputs) {
      const isText = typeof each === "string"
      estimate += isText ? countTokens(each, { model: model.countedAs }) : each.length
      upperBound += isText ? countTokens(each, { model: model.countedAs, countBy: "upperBound" }) : each.length
      upperBound += added
    }
  } catch (error) {
    return rejectionOf(error)
  }
  return {
    status: "priced",
    provider: model.provider.name,
    model: model.model,
    priceKey: model.priceKey,
    input: { estimate, upperBound: Math.max(estimate, upperBound) },
    maxOutputTokens: 0,
    minOutputTokens: 0,
    boundOptions: {
      choices: 1,
      region: model.region,
      serviceTier: undefined,
      cacheWrites: "none",
      inputModalities: ["text"],
      outputModalities: ["text"],
    },
    streamed: false,
    bodyToSend: ({ maxPrice }) =>
      model.provider.name === "openrouter" ? withOpenRouterFields(body, maxPrice) : { ...body },
    createMeter: () => new EmbeddingsMeter(),
  }
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
