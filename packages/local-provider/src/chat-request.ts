import type { AnswerFormat, Message, ToolDefinition } from "@p2/core"

/** The fields of a chat completion request that this provider reads. */
export interface ChatRequest {
  model: string
  messages: Message[]
  max_tokens?: number | null
  max_completion_tokens?: number | null
  stream?: boolean | null
  stream_options?: { include_usage?: boolean } | null
  response_format?: AnswerFormat
  tools?: ToolDefinition[]
  tool_choice?: unknown
  n?: number | null
  service_tier?: string
  [key: string]: unknown
}

/** A request that the API rejects with status 400. */
export class BadRequest extends Error {
  override name = "BadRequest"
}

/** A way to request structured output. */
export type Mode = "json_schema" | "tool" | "json_object" | "text"

/** Parses a body. @throws BadRequest with the API's message. */
export function readChatRequest(text: string): ChatRequest {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    throw new BadRequest("We could not parse the JSON body of your request.")
  }
  if (typeof body !== "object" || body === null) throw new BadRequest("The body must be a JSON object.")
  const request = body as ChatRequest
  if (typeof request.model !== "string" || request.model === "")
    throw new BadRequest("you must provide a model parameter")
  if (!Array.isArray(request.messages) || request.messages.length === 0)
    throw new BadRequest("[] is too short - 'messages'")
  checkToolResults(request.messages)
  const limit = request.max_completion_tokens ?? request.max_tokens
  if (limit != null && (!Number.isInteger(limit) || limit < 1))
    throw new BadRequest(
      `Invalid 'max_tokens': integer below minimum value. Expected a value >= 1, but got ${limit} instead.`,
    )
  return request
}

/** Like the API, rejects tool calls without results, and results without calls. @throws BadRequest */
function checkToolResults(messages: readonly Message[]): void {
  const unanswered = new Set<string>()
  for (const message of messages) {
    if (message.role === "tool") {
      if (!unanswered.delete(message.tool_call_id))
        throw new BadRequest("messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.")
      continue
    }
    if (unanswered.size > 0) break
    if (message.role === "assistant") for (const { id } of message.tool_calls ?? []) unanswered.add(id)
  }
  if (unanswered.size > 0)
    throw new BadRequest(
      "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'.",
    )
}

/** The mode that a request uses. */
export function modeOf(request: ChatRequest): Mode {
  const { type } = request.response_format ?? {}
  if (type === "json_schema" || type === "json_object") return type
  return (request.tools?.length ?? 0) > 0 ? "tool" : "text"
}

/**
 * The tool that the model calls: the one that the request names, else the first one, until the last message is the result of
 * a tool. If a call is required even then, the model calls the last tool.
 */
export function calledTool({ messages, tools = [], tool_choice: choice }: ChatRequest): ToolDefinition | undefined {
  const named = (choice as { function?: { name?: unknown } } | null | undefined)?.function?.name
  if (named !== undefined) return tools.find((tool) => tool.function.name === named)
  if (choice === "none") return undefined
  if (messages.at(-1)?.role !== "tool") return tools[0]
  return choice === "required" ? tools.at(-1) : undefined
}

/** The JSON Schema of the answer: from the format or the prompt. */
export function schemaOf(request: ChatRequest): Record<string, unknown> | undefined {
  if (request.response_format?.type === "json_schema") return request.response_format.json_schema.schema
  for (const message of request.messages) {
    const schema = schemaInText(textOf(message))
    if (schema !== undefined) return schema
  }
  return request.response_format?.type === "json_object"
    ? { type: "object", properties: { answer: { type: "string" } } }
    : undefined
}

/** The text of the user messages, which the answer is about. */
export function promptOf(request: ChatRequest): string {
  const users = request.messages.filter((message) => message.role === "user")
  return users.map(textOf).join("\n").slice(-4000)
}

function textOf(message: Message): string {
  if (typeof message.content === "string") return message.content
  return (message.content ?? []).map((part) => ("text" in part ? part.text : "")).join("\n")
}

/** The first object in a text that parses as JSON and looks like a schema. */
function schemaInText(text: string): Record<string, unknown> | undefined {
  for (let start = text.indexOf("{"); start !== -1 && start < 20_000; start = text.indexOf("{", start + 1)) {
    const end = closingBrace(text, start)
    if (end === -1) continue
    try {
      const value = JSON.parse(text.slice(start, end + 1)) as Record<string, unknown>
      if ("properties" in value || "$ref" in value || "anyOf" in value) return value
    } catch {
      // Not JSON from here: the next brace may open the schema.
    }
  }
  return undefined
}

function closingBrace(text: string, start: number): number {
  let depth = 0
  let quoted = false
  for (let index = start; index < text.length; index++) {
    const char = text[index]
    if (quoted) {
      if (char === "\\") index++
      else if (char === '"') quoted = false
    } else if (char === '"') quoted = true
    else if (char === "{") depth++
    else if (char === "}" && --depth === 0) return index
  }
  return -1
}
