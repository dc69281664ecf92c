import { believableText, subjectOf } from "./believable-data"
import { countPrompt, countText, cutToTokens, type ModelEntry } from "./catalogue"
import { type ChatRequest, type Mode, modeOf, promptOf, schemaOf } from "./chat-request"
import type { Fault } from "./faults"
import { Random } from "./random"
import { dataForSchema } from "./schema-data"

/** One answer, fully thought out before a byte is sent: what is said, in which pieces, and what it costs in tokens. */
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

/** Answers a request as its faults allow. */
export function complete(request: ChatRequest, model: ModelEntry, fault: Fault): Completion {
  const mode = modeOf(request)
  const wanted = fault.refusal === undefined ? wantedText(request, fault) : fault.refusal
  const limit = request.max_completion_tokens ?? request.max_tokens ?? model.maxOutputTokens
  const reasoningTokens = Math.min(fault.reasoningTokens ?? 0, limit)
  const room = limit - reasoningTokens
  const full = countText(wanted)
  const text = full > room ? cutToTokens(wanted, room) : wanted
  const choices = request.n ?? 1
  const finish = full > room ? "length" : mode === "tool" ? "tool_calls" : "stop"
  const promptTokens = countPrompt(model, request)
  return {
    mode,
    text: fault.refusal === undefined ? text : "",
    refusal: fault.refusal === undefined ? undefined : text,
    finishReason: fault.noFinishReason ? null : (fault.finishReason ?? finish),
    promptTokens,
    cachedTokens: Math.min(fault.cachedTokens ?? 0, promptTokens),
    completionTokens: (Math.min(full, room) + reasoningTokens) * choices,
    reasoningTokens: reasoningTokens * choices,
    choices,
    toolName: request.tools?.[0]?.function.name,
  }
}

function wantedText(request: ChatRequest, fault: Fault): string {
  if (fault.empty) return ""
  if (fault.answer !== undefined) return fault.answer
  if (fault.invalidJson) return '{"name": "David Copper'
  if (fault.wrongShape) return '{"unexpected": true}'
  const prompt = promptOf(request)
  const context = { random: new Random(prompt), subject: subjectOf(prompt) }
  const schema = schemaOf(request)
  if (schema === undefined) return believableText(context)
  const json = JSON.stringify(dataForSchema(schema, context))
  return fault.fenced
    ? `Here is the answer you asked for:\n\n\`\`\`json\n${json}\n\`\`\`\n\nLet me know if you need more.`
    : json
}

/** The text in pieces of a few characters, as a stream sends them. Never cuts a code point. */
export function piecesOf(text: string): string[] {
  return text.match(/[\s\S]{1,12}/gu) ?? []
}
