import { isRecord } from "@p2/core"
import { decodedSegment } from "../identifier"
import {
  jsonPart,
  type PromptPart,
  type PromptTokens,
  sumParts,
  tokensPart,
  unknownWindow,
  unseenPart,
} from "../prompt-parts"
import type { CallDescription, PricedCall, ProtocolContext, ProviderCall, Rejection } from "../protocol"
import { invalidBody, unbounded } from "../rejection"
import { checkFields, unknownField } from "../variants/body-fields"
import { type CalledModel, calledModel, providerOf } from "../variants/called-model"
import { cacheWritesOf } from "./cache-writes"
import { contentParts, messageParts } from "./content"
import { betasOf, checkBetas, checkContextManagement, MESSAGE_FIELDS } from "./fields"
import { MessageMeter } from "./meter"
import { type ClaudeTools, readTools } from "./tools"

type Body = Readonly<Record<string, unknown>>

/** Describes a call of Anthropic's Messages API, also at gateways and on Vertex AI. */
export function describeAnthropic(call: ProviderCall, context: ProtocolContext): CallDescription | undefined {
  const target = targetOf(call, context)
  if (target.status !== "messages") return target.status === "other" ? undefined : target.description
  if (call.body.kind !== "json") return invalidBody("body", "a JSON object")
  const body = call.body.value
  const model = calledModel(call, { model: target.model ?? body.model }, { ...context, ...target.seller })
  if (model.status === "rejected") return model
  if (model.provider.name === "openrouter") return openRouterMessages()
  return describeMessage(call, body, { ...model, ...target.region })
}

/** What a path of the API means. */
type Target =
  | { status: "other" }
  | { status: "decided"; description: CallDescription }
  | {
      status: "messages"
      /** Undefined: the body names the model. */
      model?: string
      /** The provider whose prices apply, if the host does not say. */
      seller?: { provider: string }
      region?: { region: string }
    }

const FREE: Target = { status: "decided", description: { status: "free" } }

/** `…/locations/{region}/publishers/anthropic/models/{model}:rawPredict` of Vertex AI. */
const VERTEX = /\/locations\/([\w-]+)\/publishers\/anthropic\/models\/([^/:]+):(?:streamR|r)awPredict$/

function targetOf({ method, url }: ProviderCall, context: ProtocolContext): Target {
  const path = url.pathname
  const [, region, model] = VERTEX.exec(path) ?? []
  if (region !== undefined && model !== undefined && method === "POST") {
    if (model === "count-tokens") return FREE
    const seller = { provider: "google-vertex" }
    return { status: "messages", model: decodedSegment(model), seller, region: { region } }
  }
  if (method === "POST" && path.endsWith("/messages") && !path.includes("/threads/")) return { status: "messages" }
  if (method === "POST" && path.endsWith("/messages/count_tokens")) return FREE
  const isBatch = /\/messages\/batches(\/[\w-]+(\/(results|cancel))?)?$/.test(path)
  if (isBatch) return method === "POST" && path.endsWith("/batches") ? batches() : FREE
  if (providerOf(url, context)?.name !== "anthropic") return { status: "other" }
  // https://platform.claude.com/docs/en/api/overview (as of 2026-10): none of these has a price.
  const isFree = method === "HEAD" || /^\/v1\/(models|files)(\/|$)/.test(path)
  return isFree ? FREE : { status: "other" }
}

function batches(): Target {
  const because = "its requests are priced later, and one reservation cannot cover them"
  return {
    status: "decided",
    description: unbounded("a message batch", because, "Send the calls one by one to `/v1/messages`."),
  }
}

function openRouterMessages(): Rejection {
  const because = "OpenRouter chooses the price by routing, and this path has no field for the highest price"
  return unbounded("`/messages` at OpenRouter", because, "Use `/chat/completions`.")
}

function describeMessage(call: ProviderCall, body: Body, model: CalledModel): PricedCall | Rejection {
  const betas = betasOf(call.headers, body)
  const wrong = checkFields(body, [MESSAGE_FIELDS]) ?? checkBetas(betas) ?? checkInnerFields(body)
  if (wrong !== undefined) return wrong
  const tools = readTools(body.tools)
  if ("status" in tools) return tools
  const limits = readLimits(body)
  if (limits.status === "rejected") return limits
  const window = windowOf(model, betas)
  const prompt = sumParts(promptParts(body, tools), { ...model, window })
  if (prompt.status === "rejected") return prompt
  const input = withPasses(prompt, tools, limits.maxOutputTokens, window)
  if (input.status === "rejected") return input
  const long = checkLongContext(input, model, betas)
  const uncontrolled = long ?? checkContextManagement(body.context_management, input.upperBound)
  if (uncontrolled !== undefined) return uncontrolled
  return {
    status: "priced",
    provider: model.provider.name,
    model: model.model,
    priceKey: model.priceKey,
    input: { estimate: input.estimate, upperBound: input.upperBound },
    maxOutputTokens: limits.maxOutputTokens,
    minOutputTokens: limits.minOutputTokens,
    boundOptions: {
      choices: passesOf(tools),
      webSearches: tools.webSearches,
      // `auto` uses reserved capacity at the same price: https://platform.claude.com/docs/en/api/service-tiers
      serviceTier: body.speed === "fast" ? "fast" : "default",
      region: regionOf(body, model),
      cacheWrites: cacheWritesOf(body, { runsTools: tools.runs.size > 0 }),
      inputModalities: ["text", "image"],
      outputModalities: ["text"],
    },
    streamed: body.stream === true,
    bodyToSend: ({ maxOutputTokens = limits.maxOutputTokens }) =>
      maxOutputTokens === undefined ? { ...body } : { ...body, max_tokens: maxOutputTokens },
    createMeter: () => new MessageMeter(model.countedAs),
  }
}

/** Checks the fields of objects in the body. */
function checkInnerFields(body: Body): Rejection | undefined {
  const inner: readonly (readonly [name: string, known: readonly string[]])[] = [
    ["output_config", ["effort", "format", "task_budget"]],
    ["thinking", ["type", "budget_tokens", "display", "block_binding"]],
    ["context_management", ["edits"]],
    ["thread", ["type", "previous_message_id"]],
    ["tool_choice", ["type", "name", "disable_parallel_tool_use"]],
  ]
  for (const [name, known] of inner) {
    const value = body[name] ?? {}
    const unknown = isRecord(value) ? Object.keys(value).find((key) => !known.includes(key)) : undefined
    if (unknown !== undefined) return unknownField(`${name}.${unknown}`)
  }
  return undefined
}

interface OutputLimits {
  status: "read"
  maxOutputTokens: number | undefined
  minOutputTokens: number
}

/** Thinking counts towards `max_tokens`. A limit must exceed the thinking budget, except with interleaved thinking. */
function readLimits(body: Body): OutputLimits | Rejection {
  const limit = body.max_tokens ?? undefined
  if (limit !== undefined && !(Number.isSafeInteger(limit) && (limit as number) >= 0))
    return invalidBody("max_tokens", "an integer of at least 0")
  const maxOutputTokens = limit as number | undefined
  const thinking = body.thinking ?? undefined
  const type = isRecord(thinking) ? thinking.type : undefined
  if (thinking !== undefined && !["enabled", "disabled", "adaptive", "between_tools"].includes(String(type)))
    return invalidBody("thinking.type", '"enabled", "adaptive", "between_tools" or "disabled"')
  const budget = isRecord(thinking) && type === "enabled" ? thinking.budget_tokens : 0
  if (!Number.isSafeInteger(budget) || (budget as number) < 0)
    return invalidBody("thinking.budget_tokens", "an integer of at least 1024")
  const minimum = (budget as number) + 1
  return { status: "read", maxOutputTokens, minOutputTokens: Math.min(minimum, maxOutputTokens ?? minimum) }
}

/** Tokens that a request has beside its parts. */
const REQUEST = tokensPart(3, 32)
/** Instructions for a schema of the answer. Not published: "slightly" more input than the schema. */
const FORMAT = tokensPart(100, 1024)

function promptParts(body: Body, tools: ClaudeTools): PromptPart[] {
  const { system, messages, thread, container } = body
  const config = isRecord(body.output_config) ? body.output_config : {}
  const formats = [config.format, body.output_format].filter((format) => (format ?? undefined) !== undefined)
  return [
    REQUEST,
    ...contentParts(system, "system"),
    ...tools.parts,
    ...messageParts(messages),
    ...formats.flatMap((format) => [...jsonPart(format), FORMAT]),
    ...(config.task_budget === undefined ? [] : jsonPart(config.task_budget)),
    ...(isRecord(thread) && thread.type === "continue" ? [unseenPart("the earlier turns of `thread`")] : []),
    ...(isRecord(container) && container.skills !== undefined ? [unseenPart("the skills of `container`")] : []),
  ]
}

/**
 * The most passes of the model in one call with tools that Anthropic runs. Each pass is billed, and each has `max_tokens` for
 * itself.
 * @see https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons#pause-turn (as of 2026-10)
 */
const MAX_PASSES = 10

function passesOf({ runs }: ClaudeTools): number {
  return runs.size > 0 ? MAX_PASSES : 1
}

/** Tokens of the calls and results of one search for tools, beside the output of the pass. */
const TOOL_SEARCH_TOKENS = 2_000

/**
 * The input of all passes. A pass reads the prompt, earlier answers and results. Nothing limits the results of web tools but
 * the context window. A search for tools results in definitions that the prompt has counted.
 */
function withPasses(
  prompt: PromptTokens,
  { runs }: ClaudeTools,
  maxOutputTokens: number | undefined,
  window: number | undefined,
): PromptTokens | Rejection {
  if (runs.size === 0) return prompt
  if (window === undefined) return unknownWindow("a tool that Anthropic runs")
  let upperBound = 0
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const grown = prompt.upperBound + pass * ((maxOutputTokens ?? window) + TOOL_SEARCH_TOKENS)
    upperBound += runs.has("web") ? window : Math.min(window, grown)
  }
  return { ...prompt, upperBound: Math.max(prompt.upperBound, upperBound) }
}

const LONG_CONTEXT_TOKENS = 1_000_000

function windowOf({ window }: CalledModel, betas: ReadonlySet<string>): number | undefined {
  return window !== undefined && betas.has("context-1m") ? Math.max(window, LONG_CONTEXT_TOKENS) : window
}

/** Rows for 200,000 tokens do not say what more of them cost; Sonnet 4.5 has a price for bounds. */
function checkLongContext(input: PromptTokens, model: CalledModel, betas: ReadonlySet<string>): Rejection | undefined {
  const { window = 0, price } = model
  const isPriced = window >= LONG_CONTEXT_TOKENS || price.tiers.length > 1 || /claude-sonnet-4-5/.test(price.model)
  if (!betas.has("context-1m") || input.upperBound <= window || isPriced) return undefined
  const because = `no price is listed for more than ${window} input tokens`
  return unbounded("the beta `context-1m`", because, "Omit the beta, or send less input.")
}

/** `inference_geo` decides at Anthropic; its absence is a setting of the workspace. */
function regionOf({ inference_geo: geo }: Body, { region }: CalledModel): string | undefined {
  return typeof geo === "string" ? geo : region
}
