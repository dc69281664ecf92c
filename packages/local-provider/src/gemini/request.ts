import { BadRequest } from "../chat-request"

export type Part = Record<string, unknown>

export interface Content {
  role?: string
  parts?: Part[]
}

export interface GenerationConfig {
  maxOutputTokens?: number
  candidateCount?: number
  responseSchema?: Record<string, unknown>
  responseJsonSchema?: Record<string, unknown>
  thinkingConfig?: { thinkingBudget?: number; thinkingLevel?: string; includeThoughts?: boolean }
}

/** The fields of a Gemini request that this provider reads. */
export interface GeminiRequest {
  contents: Content[]
  systemInstruction?: Content
  tools?: Record<string, unknown>[]
  toolConfig?: { functionCallingConfig?: { mode?: string } }
  generationConfig?: GenerationConfig
  cachedContent?: string
  [key: string]: unknown
}

/** Parses a body; the API accepts names in camel case and in snake case. @throws BadRequest with the API's message */
export function readGeminiRequest(text: string): GeminiRequest {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    throw new BadRequest("Invalid JSON payload received.")
  }
  if (typeof body !== "object" || body === null) throw new BadRequest("Invalid JSON payload received.")
  const request = camelCase(body) as GeminiRequest
  if (!Array.isArray(request.contents) || request.contents.length === 0)
    throw new BadRequest("* GenerateContentRequest.contents: contents is not specified")
  return request
}

/** Names inside these fields belong to the caller. */
const OPAQUE = new Set([
  "responseSchema",
  "responseJsonSchema",
  "parameters",
  "parametersJsonSchema",
  "args",
  "response",
])

export function camelCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelCase)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => {
      const camel = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
      return [camel, OPAQUE.has(camel) ? inner : camelCase(inner)]
    }),
  )
}

export function partsOf(content: Content | undefined): Part[] {
  return content?.parts ?? []
}

/** The text of the user's contents, which the answer is about. */
export function geminiPrompt({ contents }: GeminiRequest): string {
  const users = contents.filter(({ role }) => role !== "model")
  const texts = users.flatMap((content) => partsOf(content).map(({ text }) => text))
  return texts
    .filter((text) => typeof text === "string")
    .join("\n")
    .slice(-4000)
}

export function functionsOf({ tools = [] }: GeminiRequest): Record<string, unknown>[] {
  return tools.flatMap(({ functionDeclarations }) => (functionDeclarations ?? []) as Record<string, unknown>[])
}

/** Whether the model may search. */
export function maySearch({ tools = [] }: GeminiRequest): boolean {
  return tools.some(({ googleSearch, googleSearchRetrieval }) => (googleSearch ?? googleSearchRetrieval) !== undefined)
}
