import { type ChatRequest, type Mode, modeOf, promptOf, schemaOf } from "./chat-request"
import type { Fault } from "./faults"
import { countPrompt, countText, cutToTokens, type ModelEntry } from "./models"
import { plausibleText, subjectOf } from "./plausible-data"
import { Random } from "./random"
import { dataForSchema } from "./schema-data"

/** One complete answer and its token counts. */
export interface Completion {
  mode: Mode
  text: string
  refusal: string | undefined
  finishReason: string | null
  promptTokens: number
  cachedTokens: number
  completionTokens: number
  reasoningTokens: number
  choices: number
  toolName: string | undefined
}

/** Answers a request, with the given fault. @param promptTokens as the provider counts them */
export function complete(
  request: ChatRequest,
  model: ModelEntry,
  fault: Fault,
  promptTokens: number = countPrompt(model, request),
): Completion {
  const mode = fault.toolCall === undefined ? modeOf(request) : "tool"
  const answer = fault.refusal ?? answerText(request, fault)
  const limit = request.max_completion_tokens ?? request.max_tokens ?? model.maxOutputTokens
  const reasoningTokens = Math.min(fault.reasoningTokens ?? 0, limit)
  const outputLimit = limit - reasoningTokens
  const answerTokens = countText(answer)
  const isCut = answerTokens > outputLimit || fault.fillOutput === true
  const text = isCut ? cutToTokens(answer, outputLimit) : answer
  const choices = request.n ?? 1
  const finish = isCut ? "length" : mode === "tool" ? "tool_calls" : "stop"
  return {
    mode,
    text: fault.refusal === undefined ? text : "",
    refusal: fault.refusal === undefined ? undefined : text,
    finishReason: fault.noFinishReason ? null : (fault.finishReason ?? finish),
    promptTokens,
    cachedTokens: Math.min(fault.cachedTokens ?? 0, promptTokens),
    completionTokens: ((isCut ? outputLimit : answerTokens) + reasoningTokens) * choices,
    reasoningTokens: reasoningTokens * choices,
    choices,
    toolName: fault.toolCall?.name ?? request.tools?.[0]?.function?.name,
  }
}

function answerText(request: ChatRequest, fault: Fault): string {
  if (fault.empty) return ""
  if (fault.toolCall !== undefined) return JSON.stringify(fault.toolCall.arguments)
  if (fault.answer !== undefined) return fault.answer
  if (fault.invalidJson) return '{"name": "David Copper'
  if (fault.wrongShape) return '{"unexpected": true}'
  const prompt = promptOf(request)
  const context = { random: new Random(prompt), subject: subjectOf(prompt) }
  const schema = schemaOf(request)
  if (schema === undefined) return plausibleText(context)
  const json = JSON.stringify(dataForSchema(schema, context))
  return fault.fenced
    ? `Here is the requested answer:\n\n\`\`\`json\n${json}\n\`\`\`\n\nLet me know if you need more.`
    : json
}

/** The text in the pieces of a stream, a few characters each. Never cuts a code point. */
export function piecesOf(text: string): string[] {
  return text.match(/[\s\S]{1,12}/gu) ?? []
}
