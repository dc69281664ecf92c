import type { CompiledAnswer, Message, Request } from "@p2/core"
import type { Bound } from "@p2/pricing"
import type { AnswerMode } from "../receipt"
import { modalitiesOf } from "./modalities"
import type { CountedInput, Route, Structure } from "./route"

/** What one attempt asks for. */
export interface Ask {
  request: Request<unknown>
  route: Route
  /** The conversation with the notes of repairs, without what the mode adds. */
  messages: readonly Message[]
  compiled: CompiledAnswer<unknown> | undefined
  mode: AnswerMode
}

/** Most results of the one web search of a call with `online`: the price is that of up to 5. */
export const MAX_WEB_RESULTS = 5

/** The messages as they are sent: with the schema in words where the mode has no other place for it. */
export function messagesToSend(ask: Ask): readonly Message[] {
  const { messages, compiled, mode } = ask
  if (compiled === undefined || (mode !== "prompt" && mode !== "json_object")) return messages
  const at = messages.findIndex((message) => !isSystem(message))
  return messages.toSpliced(at === -1 ? messages.length : at, 0, { role: "system", content: compiled.instructions })
}

function isSystem({ role }: Message): boolean {
  return role === "system" || role === "developer"
}

const JSON_OBJECT = Object.freeze({ type: "json_object" as const })

/** The part of the body that asks for structure; counted as input like the messages. */
export function structureOf(ask: Ask): Structure {
  const { compiled, mode } = ask
  if (compiled === undefined) return {}
  if (mode === "json_schema") return { response_format: compiled.answerFormat }
  if (mode === "json_object") return { response_format: JSON_OBJECT }
  if (mode !== "tool") return {}
  return {
    tools: [compiled.tool],
    tool_choice: { type: "function" as const, function: { name: compiled.tool.function.name } },
  }
}

/** The input of the call, counted as it would be sent. */
export function inputOf(ask: Ask): CountedInput {
  return ask.route.countInput({ messages: messagesToSend(ask), structure: structureOf(ask) })
}

export interface BodyOptions {
  maxTokens: number
  stream: boolean
  /** What the bound assumed of OpenRouter's prices. */
  maxPrice: Bound["maxPrice"]
}

/** The whole body of the call. It says what the bound assumed: the output limit, the tier, the highest price. */
export function chatBody(ask: Ask, options: BodyOptions): Record<string, unknown> {
  const { request, route } = ask
  const { provider } = route
  // What is undefined is not sent.
  const body: Record<string, unknown> = {
    model: route.sentModel,
    messages: withCacheMarkers(messagesToSend(ask), ask),
    ...structureOf(ask),
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
  if (provider.dialect === "openrouter") addOpenRouter(body, ask, options.maxPrice)
  return body
}

function addOpenRouter(body: Record<string, unknown>, ask: Ask, maxPrice: Bound["maxPrice"]): void {
  body.usage = { include: true }
  body.provider = { max_price: maxPrice, require_parameters: ask.mode === "json_schema" || undefined }
  const plugins = [
    // Exa searches once, at a stated price; a model's own search costs what its provider asks, as often as it likes.
    // https://openrouter.ai/docs/features/web-search
    ...(ask.request.online ? [{ id: "web", engine: "exa", max_results: MAX_WEB_RESULTS }] : []),
    // The free engine; what is used otherwise, where a model takes no files, asks a price for each page.
    // https://openrouter.ai/docs/features/multimodal/pdfs
    ...(modalitiesOf(ask.messages) === undefined ? [{ id: "file-parser", pdf: { engine: "cloudflare-ai" } }] : []),
  ]
  if (plugins.length > 0) body.plugins = plugins
}

/**
 * Marks the end of the prompt's stable prefix, where the provider caches only what is marked: Anthropic's and Gemini's
 * models through OpenRouter. Others cache by themselves, or (Anthropic's compatibility layer) not at all.
 */
function withCacheMarkers(messages: readonly Message[], ask: Ask): readonly Message[] {
  if (!ask.request.cachePrompt || ask.route.provider.dialect !== "openrouter") return messages
  if (!/^(anthropic|google)\//.test(ask.route.sentModel)) return messages
  // The last system message, else the first message: what comes before it is the same in the next call.
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
