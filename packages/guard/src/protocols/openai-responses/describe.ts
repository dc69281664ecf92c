import type { Modality } from "@p2/pricing"
import { type CountableInput, countInput } from "../counted-input"
import type { CallDescription, CallInput, PricedCall, ProtocolContext, ProviderCall, Rejection } from "../protocol"
import { invalidBody, unknownWindow } from "../rejection"
import { checkFields, countedFields } from "../variants/body-fields"
import { checkCacheTime } from "../variants/cache-time"
import type { CalledModel } from "../variants/called-model"
import { readOpenRouterFields, withOpenRouterFields } from "../variants/openrouter"
import { pricedCall, readJSONCall } from "../variants/priced-call"
import { serviceTierOf } from "../variants/service-tier"
import { countableResponse } from "./countable-items"
import { type HostedTools, readTools } from "./hosted-tools"
import { ResponseMeter } from "./response-meter"
import { checkInnerFields, responsesFieldsOf } from "./responses-fields"
import { describeStored } from "./stored-responses"

type Body = Readonly<Record<string, unknown>>

/** https://platform.openai.com/docs/api-reference/responses/create: the API rejects a lower limit. */
const MIN_OUTPUT_TOKENS = 16

/** Describes a call to OpenAI's Responses API, or to a provider with the same wire format. */
export function describeResponses(call: ProviderCall, context: ProtocolContext): CallDescription | undefined {
  const path = /\/responses(\/[^/]+)?(\/[^/]+)?$/.exec(call.url.pathname)
  if (path === null) return undefined
  if (path[1] !== undefined) return describeStored(call, context, path[1].slice(1), path[2]?.slice(1))
  if (call.method !== "POST") return undefined
  const read = readJSONCall(call, context, "a response")
  if (read.status === "rejected") return read
  const { body, model } = read
  const tables = responsesFieldsOf(model.provider.name)
  const rejection = model.price.free
    ? undefined
    : (checkFields(body, tables) ?? checkInnerFields(body) ?? checkCacheTime(body, model))
  if (rejection !== undefined) return rejection
  const input = countableResponse(body)
  if ("status" in input) return input
  input.otherText.push(...countedFields(body, tables))
  const tools = readTools(body, input, model, context.maxToolCalls)
  if (tools.status === "rejected") return tools
  return describePriced({ body, model, input, tools, context })
}

/** A call that has been read. */
interface ReadResponse {
  body: Body
  model: CalledModel
  input: CountableInput
  tools: HostedTools
  context: ProtocolContext
}

function describePriced({ body, model, input, tools, context }: ReadResponse): PricedCall | Rejection {
  const { provider } = model
  const openRouter = provider.name === "openrouter" ? readOpenRouterFields(body, input) : undefined
  if (openRouter?.status === "rejected") return openRouter
  const { max_output_tokens: limit } = body
  if ((limit ?? undefined) !== undefined && (!Number.isSafeInteger(limit) || (limit as number) < 1))
    return invalidBody("max_output_tokens", "an integer of at least 1")
  const serviceTier = serviceTierOf(body, model, context)
  if (serviceTier.status === "rejected") return serviceTier
  const maxOutputTokens = (limit ?? undefined) as number | undefined
  const counted = countPasses(body, model, input, tools)
  if (counted.status === "rejected") return counted
  const isStreamed = body.stream === true
  return pricedCall(model, {
    input: { estimate: counted.estimate, upperBound: counted.upperBound, prompt: counted.prompt },
    maxOutputTokens,
    minOutputTokens: MIN_OUTPUT_TOKENS + (openRouter?.reasoningTokens ?? 0),
    rejectedNanoUsd: provider.rejectedResponseNanoUsd,
    boundOptions: {
      choices: 1,
      webSearches: tools.webSearches + (openRouter?.webSearches ?? 0),
      fileSearches: tools.fileSearches,
      // Each call may start a container: one that ran before has expired after 20 minutes without a call.
      codeInterpreterSessions: tools.containerGB * tools.calls,
      serviceTier: serviceTier.name,
      cacheWrites: "any",
      inputModalities: input.modalities && [...input.modalities],
      outputModalities: outputModalities(provider.name),
    },
    streamed: isStreamed,
    bodyToSend: ({ maxOutputTokens: changed, maxPrice }) => {
      const sent: Record<string, unknown> = { ...body }
      const tokens = changed ?? maxOutputTokens
      if (tokens !== undefined) sent.max_output_tokens = tokens
      if (serviceTier.isSent) sent.service_tier = serviceTier.name
      if (tools.sendsMaximum) sent.max_tool_calls = tools.calls
      return provider.name === "openrouter" ? withOpenRouterFields(sent, maxPrice) : sent
    },
    createMeter: () =>
      new ResponseMeter({
        provider: provider.name,
        maxToolCalls: tools.calls,
        containerGB: tools.containerGB,
        model: model.countedAs,
      }),
  })
}

/**
 * Counts the input of all passes: each call of a hosted tool is followed by a pass that reads the whole input again, with the
 * results and the output so far.
 */
function countPasses(
  body: Body,
  model: CalledModel,
  input: CountableInput,
  { passes, calls, tokensPerCall, hasRemoteTools }: HostedTools,
): ({ status: "counted" } & CallInput) | Rejection {
  const first = countInput(model, input)
  if (first.status === "rejected") return first
  const { window, price } = model
  const isTruncated = body.truncation === "auto" && window !== undefined
  const upperBound = isTruncated ? Math.min(first.upperBound, Math.max(window, first.estimate)) : first.upperBound
  const { status, estimate, isShown } = first
  const prompt = hasRemoteTools ? undefined : { isShown, passes }
  if (passes === 1) return { status, estimate, upperBound, prompt }
  const output = (body.max_output_tokens as number | null | undefined) ?? price.maxOutputTokens
  const later =
    tokensPerCall === undefined || output === undefined ? undefined : upperBound + output + calls * tokensPerCall
  if (later === undefined && window === undefined) return unknownWindow("hosted tools", "Omit them.")
  const pass = Math.min(later ?? Number.POSITIVE_INFINITY, Math.max(window ?? Number.POSITIVE_INFINITY, upperBound))
  return { status, estimate, upperBound: upperBound + (passes - 1) * pass, prompt }
}

/** Undefined: the model may answer with every modality for which it has a rate. */
function outputModalities(provider: string): Modality[] | undefined {
  return provider === "openai" || provider === "azure" ? ["text"] : undefined
}
