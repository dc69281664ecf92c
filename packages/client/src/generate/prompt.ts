import type { CompiledAnswer, Message, Request } from "@p2/core"
import type { Bound } from "@p2/pricing"
import type { Route } from "../providers/routes"
import { type CountedInput, MAX_WEB_RESULTS, type StructureFields } from "../providers/tariff"
import type { AnswerMode } from "../receipt"

/** The model and the content of one attempt, before its output limit is known. */
export interface Prompt {
  request: Request<unknown>
  route: Route
  /** The conversation, with the repair messages. */
  messages: readonly Message[]
  /** Undefined: the answer is text. */
  compiled: CompiledAnswer<unknown> | undefined
  mode: AnswerMode
}

/** Counts the input as it would be sent. */
export function countPrompt(prompt: Prompt): CountedInput {
  return prompt.route.countInput(sentMessages(prompt), structureOf(prompt))
}

/** The messages, with the schema as instructions if the mode has no field for it. */
function sentMessages({ messages, compiled, mode }: Prompt): readonly Message[] {
  if (compiled === undefined || (mode !== "prompt" && mode !== "json_object")) return messages
  const index = messages.findIndex((message) => !isSystem(message))
  const instructions: Message = { role: "system", content: compiled.instructions }
  return messages.toSpliced(index === -1 ? messages.length : index, 0, instructions)
}

function isSystem({ role }: Message): boolean {
  return role === "system" || role === "developer"
}

const JSON_OBJECT = Object.freeze({ type: "json_object" as const })

/** The fields that request structured output. They count as input. */
export function structureOf({ compiled, mode }: Pick<Prompt, "compiled" | "mode">): StructureFields {
  if (compiled === undefined) return {}
  if (mode === "json_schema") return { response_format: compiled.answerFormat }
  if (mode === "json_object") return { response_format: JSON_OBJECT }
  if (mode !== "tool") return {}
  const { tool } = compiled
  return { tools: [tool], tool_choice: { type: "function" as const, function: { name: tool.function.name } } }
}

/** The body of the HTTP call. It states what the upper bound assumes: output limit, service tier, highest price. */
export function chatBody(
  prompt: Prompt,
  options: {
    maxTokens: number
    stream: boolean
    /** The highest prices that the upper bound assumes for OpenRouter. */
    maxPrice: Bound["maxPrice"]
  },
): Record<string, unknown> {
  const { request, route } = prompt
  const { provider } = route
  // JSON leaves out fields that are undefined.
  const body: Record<string, unknown> = {
    model: route.sentModel,
    messages: withCacheMarker(sentMessages(prompt), prompt),
    ...structureOf(prompt),
    [route.maxTokensField]: options.maxTokens,
    temperature: request.temperature,
    top_p: request.topP,
    frequency_penalty: request.frequencyPenalty,
    presence_penalty: request.presencePenalty,
    stop: request.stop,
    service_tier: route.serviceTier,
  }
  if (request.seed !== undefined) body[provider.seedField ?? "seed"] = request.seed
  if (options.stream) {
    body.stream = true
    if (provider.streamOptions !== false) body.stream_options = { include_usage: true }
  }
  if (provider.dialect === "openrouter") Object.assign(body, openRouterFields(prompt, options.maxPrice))
  return body
}

function openRouterFields({ request, messages, mode }: Prompt, maxPrice: Bound["maxPrice"]): Record<string, unknown> {
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
    provider: { max_price: maxPrice, require_parameters: mode === "json_schema" || undefined },
    plugins: plugins.length > 0 ? plugins : undefined,
  }
}

function hasFile({ content }: Message): boolean {
  return Array.isArray(content) && content.some(({ type }) => type === "file")
}

/**
 * Marks the end of the prompt's stable prefix for providers that cache only what is marked: Anthropic's and Gemini's
 * models through OpenRouter. Others cache by themselves, or (Anthropic's compatibility layer) not at all.
 */
function withCacheMarker(messages: readonly Message[], { request, route }: Prompt): readonly Message[] {
  if (!request.cachePrompt || route.provider.dialect !== "openrouter") return messages
  if (!/^(anthropic|google)\//.test(route.sentModel)) return messages
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
