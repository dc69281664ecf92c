import { isRecord } from "@p2/core"
import { jsonPart, type PromptPart, type PromptTokens, sumParts, tokensPart, unseenPart } from "../prompt-parts"
import type { CallDescription, PricedCall, ProtocolContext, ProviderCall, Rejection } from "../protocol"
import { noJSON, unbounded } from "../rejection"
import { checkFields, unknownField } from "../variants/body-fields"
import { type CalledModel, calledModel } from "../variants/called-model"
import { pricedCall } from "../variants/priced-call"
import { describeMessageBatch } from "./batch"
import { cacheWritesOf } from "./cache-writes"
import { contentParts, messageParts } from "./content"
import { betasOf, checkBetas, checkContextManagement, MESSAGE_FIELDS } from "./fields"
import { readLimits } from "./limits"
import { MessageMeter } from "./meter"
import { passesOf, withPasses } from "./passes"
import { targetOf } from "./paths"
import { type ClaudeTools, readTools } from "./tools"

type Body = Readonly<Record<string, unknown>>

/** Describes a call to Anthropic's Messages API, also at gateways and on Vertex AI. */
export function describeAnthropic(call: ProviderCall, context: ProtocolContext): CallDescription | undefined {
  const target = targetOf(call, context)
  if (target.status === "other") return undefined
  if (target.status === "decided") return target.description
  if (target.status === "batch") return describeMessageBatch(call, context, describeAnthropic)
  if (call.body.kind !== "json") return noJSON("a message")
  const body = call.body.value
  const model = calledModel(call, { model: target.model ?? body.model }, { ...context, ...target.seller })
  if (model.status === "rejected") return model
  if (model.provider.name === "openrouter") return openRouterMessages()
  return describeMessage(call, body, { ...model, ...target.region })
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
  const cacheWrites = cacheWritesOf(body, { runsTools: tools.runs.size > 0 })
  return pricedCall(model, {
    input: {
      estimate: input.estimate,
      upperBound: input.upperBound,
      prompt: addsToPrompt(body) ? undefined : { isShown: prompt.isShown, passes: passesOf(tools) },
    },
    maxOutputTokens: limits.maxOutputTokens,
    minOutputTokens: limits.minOutputTokens,
    boundOptions: {
      choices: passesOf(tools),
      webSearches: tools.webSearches,
      // `auto` uses reserved capacity at the same price: https://platform.claude.com/docs/en/api/service-tiers
      serviceTier: body.speed === "fast" ? "fast" : "default",
      region: regionOf(body, model),
      cacheWrites,
      inputModalities: ["text", "image"],
      outputModalities: ["text"],
    },
    streamed: body.stream === true,
    bodyToSend: ({ maxOutputTokens = limits.maxOutputTokens }) =>
      maxOutputTokens === undefined ? { ...body } : { ...body, max_tokens: maxOutputTokens },
    createMeter: () => new MessageMeter({ model: model.countedAs, cacheWrites }),
  })
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

/** Tokens of a request in addition to its parts. */
const REQUEST = tokensPart(3, 32)
/** Instructions for a schema of the answer. Anthropic does not publish their tokens, only that the input grows slightly. */
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
    ...(continuesThread(thread) ? [unseenPart("the earlier turns of `thread`")] : []),
    ...(hasSkills(container) ? [unseenPart("the skills of `container`")] : []),
  ]
}

function continuesThread(thread: unknown): boolean {
  return isRecord(thread) && thread.type === "continue"
}

function hasSkills(container: unknown): boolean {
  return isRecord(container) && container.skills !== undefined
}

/** Whether Anthropic adds input that its token counting does not include. */
function addsToPrompt({ thread, container }: Body): boolean {
  return continuesThread(thread) || hasSkills(container)
}

const LONG_CONTEXT_TOKENS = 1_000_000

function windowOf({ window }: CalledModel, betas: ReadonlySet<string>): number | undefined {
  return window !== undefined && betas.has("context-1m") ? Math.max(window, LONG_CONTEXT_TOKENS) : window
}

/** Prices for 200,000 tokens do not state the cost of more tokens; Sonnet 4.5 has a price for bounds. */
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
