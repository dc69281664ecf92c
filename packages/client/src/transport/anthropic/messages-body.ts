import { hideString, InvalidArgumentError, isRecord, parseJson } from "@p2/core"

type Fields = Record<string, unknown>

/** A content block of Anthropic's Messages API. */
type Block = Fields & { type: string }

interface Turn {
  role: "user" | "assistant"
  content: Block[]
}

/** Fields of a chat completion that the Messages API has under another name, or not at all. */
const CHAT_FIELDS: ReadonlySet<string> = new Set([
  "messages",
  "tools",
  "tool_choice",
  "response_format",
  "stop",
  "temperature",
  "reasoning_effort",
  // The Messages API has none of these, and rejects unknown fields.
  "verbosity",
  "frequency_penalty",
  "presence_penalty",
  "seed",
  "stream_options",
])

/**
 * Converts a chat completion body to one for Anthropic's Messages API. System messages become `system`, and tool
 * results become blocks of a user turn. https://platform.claude.com/docs/en/api/messages
 * @throws InvalidArgumentError for audio, and for a file by its id
 */
export function messagesBody(chat: Readonly<Fields>): Fields {
  const body: Fields = {}
  for (const [name, value] of Object.entries(chat))
    if (!CHAT_FIELDS.has(name) && value !== undefined) body[name] = value
  const messages = chat.messages as readonly Fields[]
  const system = messages.filter(isSystem).flatMap(({ content }, index) => blocksOf(content, `system[${index}]`))
  const turns = turnsOf(messages)
  // A call needs a user turn. Other providers accept system messages alone.
  const isAlone = turns.length === 0
  if (system.length > 0 && !isAlone) body.system = system
  body.messages = isAlone ? [{ role: "user", content: system.length === 0 ? "" : system }] : turns
  if (Array.isArray(chat.tools) && chat.tools.length > 0) body.tools = chat.tools.map(toolOf)
  const choice = toolChoiceOf(chat.tool_choice)
  if (choice !== undefined) body.tool_choice = choice
  if (chat.stop !== undefined) body.stop_sequences = [chat.stop].flat()
  // Anthropic's highest temperature is 1.
  if (typeof chat.temperature === "number") body.temperature = Math.min(1, chat.temperature)
  if (chat.reasoning_effort === "none") body.thinking ??= { type: "disabled" }
  const config = {
    ...(isRecord(chat.output_config) ? chat.output_config : {}),
    ...effortOf(chat.reasoning_effort),
    ...formatOf(chat.response_format),
  }
  if (Object.keys(config).length > 0) body.output_config = config
  return body
}

function isSystem({ role }: Fields): boolean {
  return role === "system" || role === "developer"
}

/** The turns, with the blocks of consecutive messages of one role together: results must follow their calls in one turn. */
function turnsOf(messages: readonly Fields[]): Fields[] {
  const turns: Turn[] = []
  for (const [index, message] of messages.entries()) {
    if (isSystem(message)) continue
    const role = message.role === "assistant" ? "assistant" : "user"
    const content = turnBlocks(message, `messages[${index}]`)
    const last = turns.at(-1)
    if (last?.role === role) last.content.push(...content)
    else turns.push({ role, content })
  }
  // A text block must not be empty, but a content may be.
  return turns.map(({ role, content }) => ({ role, content: content.length === 0 ? "" : content }))
}

function turnBlocks(message: Fields, path: string): Block[] {
  const { role, content } = message
  if (role === "tool" || role === "function") {
    const id = idOf(role === "tool" ? message.tool_call_id : message.name)
    return [{ type: "tool_result", tool_use_id: id, content: blocksOf(content, path) }]
  }
  const blocks = blocksOf(content, path)
  if (role !== "assistant") return blocks
  const legacy = message.function_call
  const calls = Array.isArray(message.tool_calls) ? message.tool_calls.filter(isRecord) : []
  return [...blocks, ...calls.map(callOf), ...(isRecord(legacy) ? [callOf({ id: legacy.name, function: legacy })] : [])]
}

function callOf(call: Fields): Block {
  const { name, arguments: written, input } = (call.function ?? call.custom ?? {}) as Fields
  const parsed = typeof written === "string" ? parseJson(written) : { input }
  return { type: "tool_use", id: idOf(call.id), name, input: isRecord(parsed) ? parsed : {} }
}

/** Ids of other providers may have characters that Anthropic rejects. */
function idOf(id: unknown): string {
  return String(id).replace(/[^\w-]/g, "_")
}

function blocksOf(content: unknown, path: string): Block[] {
  if (typeof content === "string") return content === "" ? [] : [{ type: "text", text: content }]
  if (!Array.isArray(content)) return []
  return content.flatMap((part: Fields, index) => {
    const block = blockOf(part, `${path}.content[${index}]`)
    if (block === undefined) return []
    const { cache_control } = part
    return [isRecord(cache_control) ? { ...block, cache_control } : block]
  })
}

function blockOf(part: Fields, path: string): Block | undefined {
  const { type } = part
  if (type === "text" || type === "refusal") {
    const text = String(part.text ?? part.refusal)
    return text === "" ? undefined : { type: "text", text }
  }
  if (type === "image_url") return { type: "image", source: sourceOf((part.image_url as Fields).url, path) }
  const { file_data: data, filename } = (part.file ?? {}) as Fields
  if (type === "file" && typeof data === "string")
    return { type: "document", source: sourceOf(data, path), ...(typeof filename === "string" && { title: filename }) }
  throw new InvalidArgumentError(path, "text, an image or the data of a file, which Anthropic accepts", part)
}

/** The source of an image or a document: the data of a `data:` URL, its text, or another URL. */
function sourceOf(url: unknown, path: string): Fields {
  const [, mediaType, data] = /^data:([\w.+-]+\/[\w.+-]+);base64,(.*)$/s.exec(String(url)) ?? []
  if (mediaType === undefined || data === undefined) {
    if (/^https?:/i.test(String(url))) return { type: "url", url }
    throw new InvalidArgumentError(path, "an http(s) or data: URL", hideString(url))
  }
  if (!mediaType.startsWith("text/")) return { type: "base64", media_type: mediaType, data }
  return { type: "text", media_type: "text/plain", data: Buffer.from(data, "base64").toString("utf8") }
}

function toolOf(tool: unknown): Fields {
  const { function: definition = {}, custom } = tool as { function?: Fields; custom?: Fields }
  const { name, description, parameters } = custom ?? definition
  // A custom tool takes text.
  const text = { type: "object", properties: { input: { type: "string" } }, required: ["input"] }
  const schema = custom === undefined ? (parameters ?? { type: "object" }) : text
  return { name, ...(description === undefined ? {} : { description }), input_schema: schema }
}

function toolChoiceOf(choice: unknown): Fields | undefined {
  if (choice === undefined || choice === null) return undefined
  if (typeof choice === "string") return { type: choice === "required" ? "any" : choice }
  return { type: "tool", name: ((choice as Fields).function as Fields | undefined)?.name }
}

function effortOf(effort: unknown): Fields {
  if (effort === undefined || effort === "none") return {}
  return { effort: effort === "minimal" ? "low" : effort }
}

function formatOf(format: unknown): Fields {
  const schema = isRecord(format) && isRecord(format.json_schema) ? format.json_schema.schema : undefined
  return schema === undefined ? {} : { format: { type: "json_schema", schema: withoutBounds(schema) } }
}

/**
 * Keywords that Anthropic's structured outputs reject; they go into the description.
 * https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations
 */
const BOUNDS = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems"]

function withoutBounds(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutBounds)
  if (!isRecord(schema)) return schema
  const bounds = isRecord(schema.properties) ? [] : BOUNDS.filter((name) => typeof schema[name] === "number")
  const entries = Object.entries(schema).map(([name, value]): [string, unknown] => {
    // The keys of `properties` and `$defs` are names, and the items of an enum are values.
    if (name === "properties" || name === "$defs") return [name, mapValues(value, withoutBounds)]
    return [name, name === "items" || name === "anyOf" ? withoutBounds(value) : value]
  })
  const kept: Fields = Object.fromEntries(entries.filter(([name]) => !bounds.includes(name)))
  const words = bounds.map((name) => `${name}: ${schema[name]}.`)
  return words.length === 0 ? kept : { ...kept, description: [kept.description, ...words].filter(Boolean).join(" ") }
}

function mapValues(value: unknown, map: (inner: unknown) => unknown): unknown {
  if (!isRecord(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, map(inner)]))
}
