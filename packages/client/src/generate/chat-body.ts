import { type CompiledAnswer, isRecord, type Message, type Request } from "@p2/core"
import { MAX_WEB_RESULTS, type Route, type StructureFields } from "../providers/route"
import type { AnswerMode } from "../receipt"
import type { AttemptPlan, AttemptSettings, GenerateCall } from "./generate-call"

/**
 * The messages of an attempt: the system message, the turns of the conversation that fit `history`, those of a repair, and the
 * schema as instructions if the mode has no field for it.
 */
export function sentMessages(
  { request, messages, compiled }: Pick<GenerateCall, "request" | "messages" | "compiled">,
  { mode, repairMessages }: Pick<AttemptSettings, "mode" | "repairMessages">,
  route: Route,
): readonly Message[] {
  const { system, history } = request
  const whole: readonly Message[] = system === undefined ? messages : [{ role: "system", content: system }, ...messages]
  const recent = history === undefined ? whole : route.trimMessages(whole, history.maxTokens)
  const all = repairMessages.length === 0 ? recent : [...recent, ...repairMessages]
  if (compiled === undefined || (mode !== "prompt" && mode !== "json_object")) return all
  const index = all.findIndex((message) => !isSystem(message))
  const instructions: Message = { role: "system", content: compiled.instructions }
  return all.toSpliced(index === -1 ? all.length : index, 0, instructions)
}

function isSystem({ role }: Message): boolean {
  return role === "system" || role === "developer"
}

const JSON_OBJECT = Object.freeze({ type: "json_object" as const })

/** The fields that request structured output. They count as input. */
export function structureOf(compiled: CompiledAnswer<unknown> | undefined, mode: AnswerMode): StructureFields {
  if (compiled === undefined) return {}
  if (mode === "json_schema") return { response_format: compiled.answerFormat }
  if (mode === "json_object") return { response_format: JSON_OBJECT }
  if (mode !== "tool") return {}
  const { tool } = compiled
  return { tools: [tool], tool_choice: { type: "function" as const, function: { name: tool.function.name } } }
}

/** The body of the HTTP call. It states what the upper bound assumes: output limit, service tier, highest price, tools. */
export function chatBody(
  request: Request<unknown>,
  compiled: CompiledAnswer<unknown> | undefined,
  plan: AttemptPlan,
): Record<string, unknown> {
  const { route, messages, settings } = plan
  const { mode, requestsStreamUsage } = settings
  const { provider } = route
  // JSON leaves out fields that are undefined.
  const body: Record<string, unknown> = {
    model: route.sentModel,
    messages: request.cachePrompt ? withCacheMarker(messages, route) : messages,
    ...structureOf(compiled, mode),
    [limitField(request, route)]: plan.maxTokens,
    temperature: request.temperature,
    top_p: request.topP,
    frequency_penalty: request.frequencyPenalty,
    presence_penalty: request.presencePenalty,
    stop: request.stop,
    service_tier: route.serviceTier,
    reasoning_effort: request.reasoningEffort,
    verbosity: request.verbosity,
  }
  if (request.seed !== undefined) body[provider.seedField ?? "seed"] = request.seed
  if (plan.streamed) {
    body.stream = true
    if (requestsStreamUsage) body.stream_options = { include_usage: true }
  }
  Object.assign(body, request.extraBody)
  if (provider.dialect === "openrouter") Object.assign(body, openRouterFields(request, plan))
  return Object.assign(body, plan.toolFields)
}

/**
 * A prediction is not supported together with `max_completion_tokens`:
 * https://platform.openai.com/docs/guides/predicted-outputs#limitations
 */
function limitField({ extraBody }: Request<unknown>, { maxTokensField }: Route): Route["maxTokensField"] {
  return isRecord(extraBody.prediction) ? "max_tokens" : maxTokensField
}

function openRouterFields(
  request: Request<unknown>,
  { messages, settings, maxPrice }: AttemptPlan,
): Record<string, unknown> {
  const plugins = [
    // Exa searches once, at a stated price. A model's own search has its provider's price and no limit.
    // https://openrouter.ai/docs/features/web-search
    ...(request.online ? [{ id: "web", engine: "exa", max_results: MAX_WEB_RESULTS }] : []),
    // This engine is free. The default engine has a price per page for a model that accepts no files.
    // https://openrouter.ai/docs/features/multimodal/pdfs
    ...(messages.some(hasFile) ? [{ id: "file-parser", pdf: { engine: "cloudflare-ai" } }] : []),
  ]
  return {
    usage: { include: true },
    provider: providerField(request.extraBody.provider, maxPrice, settings.mode),
    plugins: plugins.length > 0 ? plugins : undefined,
  }
}

/** OpenRouter's routing: the user's own, within the highest prices that the upper bound assumes. */
function providerField(own: unknown, maxPrice: AttemptPlan["maxPrice"], mode: AnswerMode): Record<string, unknown> {
  const { max_price: ownPrices, ...routing } = isRecord(own) ? own : {}
  const lower = (kind: string, price: number | undefined) => {
    const stated = Number(isRecord(ownPrices) ? ownPrices[kind] : Number.NaN)
    return stated >= 0 && (price === undefined || stated < price) ? stated : price
  }
  const prices = Object.entries(maxPrice ?? {}).map(([kind, price]) => [kind, lower(kind, price)])
  return {
    ...routing,
    max_price: maxPrice && Object.fromEntries(prices),
    require_parameters: mode === "json_schema" || routing.require_parameters || undefined,
  }
}

/** Whether a message has a file. */
export function hasFile({ content }: Message): boolean {
  return Array.isArray(content) && content.some(({ type }) => type === "file")
}

/**
 * Marks the end of the prompt's stable prefix for providers that cache only what is marked: Anthropic's and Gemini's
 * models, the latter through OpenRouter. Others cache automatically.
 */
function withCacheMarker(messages: readonly Message[], route: Route): readonly Message[] {
  const { dialect } = route.provider
  if (dialect !== "anthropic" && (dialect !== "openrouter" || !/^(anthropic|google)\//.test(route.sentModel)))
    return messages
  // The last system message, else the first message: everything up to it is the same in the next call.
  const index = Math.max(0, messages.findLastIndex(isSystem))
  return messages.with(index, marked(messages[index]!))
}

function marked(message: Message): Message {
  const { content } = message
  const parts = typeof content === "string" ? [{ type: "text" as const, text: content }] : [...(content ?? [])]
  const index = parts.findLastIndex((part) => part.type === "text")
  if (index === -1) return message
  const part = { ...parts[index]!, cache_control: { type: "ephemeral" } }
  return { ...message, content: parts.with(index, part as (typeof parts)[number]) } as Message
}
