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
  const limit = request.max_completion_tokens ?? request.max_tokens
  if (limit != null && (!Number.isInteger(limit) || limit < 1))
    throw new BadRequest(
      `Invalid 'max_tokens': integer below minimum value. Expected a value >= 1, but got ${limit} instead.`,
    )
  return request
}

/** The mode that a request uses. */
export function modeOf(request: ChatRequest): Mode {
  if (request.response_format?.type === "json_schema") return "json_schema"
  if ((request.tools?.length ?? 0) > 0 && !isAnswered(request)) return "tool"
  return request.response_format?.type === "json_object" ? "json_object" : "text"
}

/** Whether the result of a tool has been sent that need not be called again. */
function isAnswered({ messages, tool_choice: choice = "auto" }: ChatRequest): boolean {
  return choice === "auto" && messages.at(-1)?.role === "tool"
}

/** The JSON Schema of the answer: from the format, the tool, or the prompt. */
export function schemaOf(request: ChatRequest): Record<string, unknown> | undefined {
  if (request.response_format?.type === "json_schema") return request.response_format.json_schema.schema
  const tool = modeOf(request) === "tool" ? request.tools?.[0] : undefined
  if (tool !== undefined) return tool.function.parameters ?? { type: "object", properties: {} }
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
