import { BadRequest } from "../chat-request"

/** A content block of a message or a tool result. */
export type Block = Record<string, unknown> & { type: string }

export interface ClaudeMessage {
  role: string
  content: string | Block[]
}

/** The fields of a Messages request that this provider reads. */
export interface ClaudeRequest {
  model: string
  messages: ClaudeMessage[]
  max_tokens: number
  system?: string | Block[]
  stream?: boolean
  tools?: Record<string, unknown>[]
  tool_choice?: { type?: string; name?: string }
  thinking?: { type?: string; budget_tokens?: number }
  service_tier?: string
  inference_geo?: string
  speed?: string
  output_config?: { format?: { schema?: Record<string, unknown> } }
  output_format?: { schema?: Record<string, unknown> }
  [key: string]: unknown
}

/** Parses a body. @throws BadRequest with the API's message */
export function readClaudeRequest(text: string, counting: boolean): ClaudeRequest {
  const request = readObject(text) as ClaudeRequest
  if (typeof request.model !== "string" || request.model === "") throw new BadRequest("model: Field required")
  if (!Array.isArray(request.messages) || request.messages.length === 0)
    throw new BadRequest("messages: at least one message is required")
  for (const [index, message] of request.messages.entries())
    if (!["user", "assistant", "system"].includes(message.role))
      throw new BadRequest(`messages.${index}.role: Input should be 'user' or 'assistant'`)
  if (counting) return request
  if (!Number.isInteger(request.max_tokens) || request.max_tokens < 1)
    throw new BadRequest("max_tokens: Input should be greater than or equal to 1")
  const budget = request.thinking?.budget_tokens
  if (request.thinking?.type === "enabled") {
    if (budget === undefined || budget < 1024)
      throw new BadRequest("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
    if (budget >= request.max_tokens)
      throw new BadRequest("`max_tokens` must be greater than `thinking.budget_tokens`.")
  }
  return request
}

function readObject(text: string): Record<string, unknown> {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    throw new BadRequest("The request body is not valid JSON.")
  }
  if (typeof body !== "object" || body === null) throw new BadRequest("The request body must be a JSON object.")
  return body as Record<string, unknown>
}

/** The blocks of a message; a string is one text block. */
export function blocksOf(content: string | Block[] | undefined): Block[] {
  if (content === undefined) return []
  return typeof content === "string" ? [{ type: "text", text: content }] : content
}

/** The text of the user messages, which the answer is about. */
export function claudePrompt(request: ClaudeRequest): string {
  const users = request.messages.filter((message) => message.role === "user")
  const texts = users.flatMap((message) => blocksOf(message.content).map((block) => block.text))
  return texts
    .filter((text) => typeof text === "string")
    .join("\n")
    .slice(-4000)
}

/** Tools that the caller runs: they have a schema. */
export function clientTools(request: ClaudeRequest): Record<string, unknown>[] {
  return (request.tools ?? []).filter((tool) => tool.input_schema !== undefined)
}

/** Maximum number of searches that the request allows; 0 without the tool. */
export function maxSearches(request: ClaudeRequest): number {
  const tool = (request.tools ?? []).find(({ type }) => typeof type === "string" && type.startsWith("web_search_"))
  return tool === undefined ? 0 : Number(tool.max_uses ?? 5)
}
