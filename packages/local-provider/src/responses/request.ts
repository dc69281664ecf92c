import { BadRequest } from "../chat-request"

/** An input item, an output item or a tool. */
export type Item = Record<string, unknown> & { type?: string }

/** The fields of a Responses request that this provider reads. */
export interface ResponsesRequest {
  model: string
  input: string | Item[]
  instructions?: string | null
  tools?: Item[]
  tool_choice?: unknown
  text?: { format?: { type?: string; schema?: Record<string, unknown> } }
  max_output_tokens?: number | null
  max_tool_calls?: number | null
  previous_response_id?: string | null
  service_tier?: string | null
  stream?: boolean | null
  background?: boolean | null
  store?: boolean | null
  [key: string]: unknown
}

/** Parses a body. @throws BadRequest with the API's message */
export function readResponsesRequest(text: string): ResponsesRequest {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    throw new BadRequest("We could not parse the JSON body of your request.")
  }
  const request = (typeof body === "object" && body !== null ? body : {}) as ResponsesRequest
  if (typeof request.model !== "string" || request.model === "")
    throw new BadRequest("Missing required parameter: 'model'.")
  if (typeof request.input !== "string" && !Array.isArray(request.input))
    throw new BadRequest("Missing required parameter: 'input'.")
  const limit = request.max_output_tokens ?? undefined
  if (limit !== undefined && (!Number.isInteger(limit) || limit < 16))
    throw new BadRequest("Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16.")
  const calls = request.max_tool_calls ?? undefined
  if (calls !== undefined && (!Number.isInteger(calls) || calls < 1))
    throw new BadRequest("Invalid 'max_tool_calls': integer below minimum value. Expected a value >= 1.")
  return request
}

/** The input items; a string is one user message. */
export function itemsOf({ input }: ResponsesRequest): Item[] {
  return typeof input === "string" ? [{ type: "message", role: "user", content: input }] : input
}

/** The parts of a message; a string is one part. */
export function partsOf(content: unknown): Item[] {
  if (typeof content === "string") return [{ type: "input_text", text: content }]
  return Array.isArray(content) ? (content as Item[]) : []
}

/** The user's text, which the answer is about. */
export function promptOf(request: ResponsesRequest): string {
  const users = itemsOf(request).filter(({ role }) => role === "user")
  const texts = users.flatMap(({ content }) => partsOf(content).map(({ text }) => text))
  return texts
    .filter((text) => typeof text === "string")
    .join("\n")
    .slice(-4000)
}

/** Tools that run at the provider, as often as the model decides. */
export function hostedTools(request: ResponsesRequest): Item[] {
  return (request.tools ?? []).filter(({ type }) => /^(web_search|file_search|code_interpreter)/.test(String(type)))
}
