import { type ChatRequest, calledTool, promptOf, schemaOf } from "./chat-request"
import type { Fault } from "./faults"
import { countPrompt, countText, cutToTokens, type ModelEntry } from "./models"
import { plausibleText, subjectOf } from "./plausible-data"
import { Random } from "./random"
import { dataForSchema } from "./schema-data"

/** A tool call. */
export interface CalledTool {
  id: string
  name: string
  /** JSON, unless a fault says otherwise. */
  arguments: string
}

/** One complete answer and its token counts. */
export interface Completion {
  /** The content; empty with a refusal, and with calls unless a fault sets it. */
  text: string
  calls: CalledTool[]
  refusal: string | undefined
  finishReason: string | null
  promptTokens: number
  cachedTokens: number
  completionTokens: number
  reasoningTokens: number
  choices: number
}

/** Answers a request, with the given fault. @param promptTokens as the provider counts them */
export function complete(
  request: ChatRequest,
  model: ModelEntry,
  fault: Fault,
  promptTokens: number = countPrompt(model, request),
): Completion {
  const calls = fault.refusal === undefined ? callsOf(request, fault) : []
  const answer = fault.refusal ?? (calls.length > 0 ? contentBeside(fault) : answerText(request, fault))
  const limit = request.max_completion_tokens ?? request.max_tokens ?? model.maxOutputTokens
  const reasoningTokens = Math.min(fault.reasoningTokens ?? 0, limit)
  const outputLimit = limit - reasoningTokens
  const written = [answer, ...calls.map((call) => call.arguments)]
  const writtenTokens = written.reduce((sum, text) => sum + countText(text), 0)
  // The name of a call is output too, even if its arguments are empty.
  const answerTokens = calls.length > 0 ? Math.max(1, writtenTokens) : writtenTokens
  const isCut = answerTokens > outputLimit || fault.fillOutput === true
  const [text = "", ...cutArguments] = isCut ? cutAll(written, outputLimit) : written
  const choices = request.n ?? 1
  const finish = isCut ? "length" : calls.length > 0 ? "tool_calls" : "stop"
  return {
    text: fault.refusal === undefined ? text : "",
    calls: calls.map((call, index) => ({ ...call, arguments: cutArguments[index]! })),
    refusal: fault.refusal === undefined ? undefined : text,
    finishReason: fault.noFinishReason ? null : (fault.finishReason ?? finish),
    promptTokens,
    cachedTokens: Math.min(fault.cachedTokens ?? 0, promptTokens),
    completionTokens: ((isCut ? outputLimit : answerTokens) + reasoningTokens) * choices,
    reasoningTokens: reasoningTokens * choices,
    choices,
  }
}

/** The calls of the fault, else a call to the tool that the request makes the model call. */
function callsOf(request: ChatRequest, fault: Fault): CalledTool[] {
  // As in the API, the ids of a conversation are distinct.
  const id = (index: number) => `call_local_${request.messages.length}_${index + 1}`
  if (fault.toolCalls !== undefined)
    return fault.toolCalls.map(({ name, arguments: given }, index) => ({
      id: id(index),
      name,
      arguments: typeof given === "string" ? given : JSON.stringify(given),
    }))
  const tool = calledTool(request)
  if (tool === undefined) return []
  const schema = tool.function.parameters ?? { type: "object", properties: {} }
  return [{ id: id(0), name: tool.function.name, arguments: answerText(request, fault, schema) }]
}

/** Without calls in the fault, `answer` is the arguments of the call. */
function contentBeside({ toolCalls, answer }: Fault): string {
  return toolCalls === undefined ? "" : (answer ?? "")
}

/** Cuts several strings so that together they have at most this many tokens. */
function cutAll(texts: readonly string[], maxTokens: number): string[] {
  let remaining = maxTokens
  return texts.map((text) => {
    const tokens = countText(text)
    const cut = tokens > remaining ? cutToTokens(text, remaining) : text
    remaining = Math.max(0, remaining - tokens)
    return cut
  })
}

function answerText(request: ChatRequest, fault: Fault, schema = schemaOf(request)): string {
  if (fault.empty) return ""
  if (fault.answer !== undefined) return fault.answer
  if (fault.invalidJson) return '{"name": "David Copper'
  if (fault.wrongShape) return '{"unexpected": true}'
  const prompt = promptOf(request)
  const context = { random: new Random(prompt), subject: subjectOf(prompt) }
  if (schema === undefined) return plausibleText(context)
  const json = JSON.stringify(dataForSchema(schema, context))
  return fault.fenced
    ? `Here is the requested answer:\n\n\`\`\`json\n${json}\n\`\`\`\n\nLet me know if you need more.`
    : json
}

/** Splits text into the pieces of a stream, a few characters each. Never splits a code point. */
export function piecesOf(text: string): string[] {
  return text.match(/[\s\S]{1,12}/gu) ?? []
}
