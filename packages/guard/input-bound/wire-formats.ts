import type { LocalProvider } from "@p2/local-provider"
import type { RecordedCall, RecordedTurn } from "./recorded-bodies"

type BaseURLs = Pick<LocalProvider, "anthropicBaseURL" | "baseURL" | "geminiBaseURL">

/** A call as an SDK sends it to the local provider. */
export interface WireCall {
  url: string
  headers: Record<string, string>
  body: Record<string, unknown>
}

/** A wire format with a counting endpoint, and a model of the local provider. */
export interface RecordedFormat {
  name: string
  provider: string
  /** The path of the counting endpoint. */
  countPath: RegExp
  maxOutputTokens: number
  call(recorded: RecordedCall, server: BaseURLs): WireCall
}

const MAX_OUTPUT_TOKENS = 1_000
const JSON_HEADERS = { "content-type": "application/json" }

export const ANTHROPIC: RecordedFormat = {
  name: "Anthropic Messages, claude-sonnet-4-5",
  provider: "anthropic",
  countPath: /\/count_tokens$/,
  maxOutputTokens: MAX_OUTPUT_TOKENS,
  call: ({ system, tools, turns }, { anthropicBaseURL }) => ({
    url: `${anthropicBaseURL}/v1/messages`,
    headers: { ...JSON_HEADERS, "x-api-key": "local", "anthropic-version": "2023-06-01" },
    body: {
      model: "claude-sonnet-4-5",
      max_tokens: MAX_OUTPUT_TOKENS,
      system,
      messages: turns.flatMap(anthropicMessages),
      ...(tools.length > 0 && {
        tools: tools.map(({ name, description, schema }) => ({ name, description, input_schema: schema })),
        tool_choice: { type: "none" },
      }),
    },
  }),
}

function anthropicMessages(turn: RecordedTurn, index: number): unknown[] {
  if (turn.kind !== "tool") return [{ role: turn.kind, content: turn.text }]
  const id = `toolu_${index}`
  return [
    { role: "assistant", content: [{ type: "tool_use", id, name: turn.name, input: turn.input }] },
    { role: "user", content: [{ type: "tool_result", tool_use_id: id, content: turn.result }] },
  ]
}

export const RESPONSES: RecordedFormat = {
  name: "OpenAI Responses, gpt-5-mini",
  provider: "openai",
  countPath: /\/input_tokens$/,
  maxOutputTokens: MAX_OUTPUT_TOKENS,
  call: ({ system, tools, turns }, { baseURL }) => ({
    url: `${baseURL}/responses`,
    headers: { ...JSON_HEADERS, authorization: "Bearer local" },
    body: {
      model: "gpt-5-mini",
      max_output_tokens: MAX_OUTPUT_TOKENS,
      service_tier: "default",
      instructions: system,
      input: turns.flatMap(responsesItems),
      ...(tools.length > 0 && {
        tools: tools.map(({ name, description, schema }) => ({
          type: "function",
          name,
          description,
          parameters: schema,
        })),
        tool_choice: "none",
      }),
    },
  }),
}

function responsesItems(turn: RecordedTurn, index: number): unknown[] {
  if (turn.kind !== "tool") return [{ role: turn.kind, content: turn.text }]
  const call_id = `call_${index}`
  return [
    { type: "function_call", call_id, name: turn.name, arguments: JSON.stringify(turn.input) },
    { type: "function_call_output", call_id, output: turn.result },
  ]
}

export const GEMINI: RecordedFormat = {
  name: "Gemini, gemini-2.5-flash",
  provider: "gemini",
  countPath: /:countTokens$/,
  maxOutputTokens: MAX_OUTPUT_TOKENS,
  call: ({ system, tools, turns }, { geminiBaseURL }) => ({
    url: `${geminiBaseURL}/v1beta/models/gemini-2.5-flash:generateContent`,
    headers: { ...JSON_HEADERS, "x-goog-api-key": "local" },
    body: {
      systemInstruction: { parts: [{ text: system }] },
      contents: turns.flatMap(geminiContents),
      generationConfig: { maxOutputTokens: MAX_OUTPUT_TOKENS },
      ...(tools.length > 0 && {
        tools: [
          {
            functionDeclarations: tools.map(({ name, description, schema }) => ({
              name,
              description,
              parametersJsonSchema: schema,
            })),
          },
        ],
        toolConfig: { functionCallingConfig: { mode: "NONE" } },
      }),
    },
  }),
}

function geminiContents(turn: RecordedTurn): unknown[] {
  if (turn.kind !== "tool") return [{ role: turn.kind === "user" ? "user" : "model", parts: [{ text: turn.text }] }]
  return [
    { role: "model", parts: [{ functionCall: { name: turn.name, args: turn.input } }] },
    { role: "user", parts: [{ functionResponse: { name: turn.name, response: { output: turn.result } } }] },
  ]
}

export const FORMATS: readonly RecordedFormat[] = [ANTHROPIC, RESPONSES, GEMINI]
