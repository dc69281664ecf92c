import type { Fault } from "../faults"
import { countText, cutToTokens } from "../models"
import { plausibleText, subjectOf } from "../plausible-data"
import { Random } from "../random"
import { dataForSchema } from "../schema-data"
import type { GeminiInput } from "./count"
import type { GeminiModel } from "./rates"
import { functionsOf, type GeminiRequest, geminiPrompt, maySearch, type Part, partsOf } from "./request"

/** A generated answer and its token counts. */
export interface GeminiAnswer {
  candidates: number
  parts: Part[]
  finishReason: string | undefined
  blockReason: string | undefined
  input: GeminiInput
  /** Tokens of tool results that the model read. */
  toolInput: number
  /** Tokens of all candidates. */
  outputTokens: number
  thoughtTokens: number
  searches: number
}

/** Generates the answer to a request. Thoughts and the answer share `maxOutputTokens`. */
export function answerGemini(
  request: GeminiRequest,
  model: GeminiModel,
  input: GeminiInput,
  fault: Fault,
): GeminiAnswer {
  const config = request.generationConfig ?? {}
  const candidates = config.candidateCount ?? 1
  const searches = maySearch(request) ? (fault.searches ?? 1) : 0
  const shared = { candidates, input, searches, toolInput: searches * 80, blockReason: undefined }
  if (fault.refusal !== undefined)
    return {
      ...shared,
      parts: [],
      blockReason: "SAFETY",
      finishReason: undefined,
      outputTokens: 0,
      thoughtTokens: 0,
      searches: 0,
      toolInput: 0,
    }
  const limit = Math.min(config.maxOutputTokens ?? model.maxOutputTokens, model.maxOutputTokens)
  const thinks = model.thinks && config.thinkingConfig?.thinkingBudget !== 0
  const thoughtTokens = Math.min(fault.reasoningTokens ?? (thinks ? 20 : 0), limit)
  const remaining = limit - thoughtTokens
  const parts = answerParts(request, fault)
  const texts = parts.map(({ text, functionCall }) => String(text ?? JSON.stringify(functionCall)))
  const wanted = texts.reduce((sum, text) => sum + countText(text), 0)
  const isCut = wanted > remaining || fault.fillOutput === true
  const usual = isCut ? "MAX_TOKENS" : "STOP"
  return {
    ...shared,
    parts: isCut ? cutParts(parts, remaining) : parts,
    finishReason: fault.noFinishReason ? undefined : (fault.finishReason ?? usual),
    outputTokens: (isCut ? remaining : wanted) * candidates,
    thoughtTokens: thoughtTokens * candidates,
  }
}

function answerParts(request: GeminiRequest, fault: Fault): Part[] {
  const calls = fault.toolCalls ?? []
  if (calls.length > 0) return calls.map(({ name, arguments: args }) => ({ functionCall: { name, args } }))
  if (fault.answer !== undefined) return [{ text: fault.answer }]
  if (fault.empty) return [{ text: "" }]
  if (fault.invalidJson) return [{ text: '{"name": "David Copper' }]
  if (fault.wrongShape) return [{ text: '{"unexpected": true}' }]
  const prompt = geminiPrompt(request)
  const context = { random: new Random(prompt), subject: subjectOf(prompt) }
  const declaration = fault.toolCalls === undefined ? functionToCall(request) : undefined
  if (declaration !== undefined) {
    const schema = declaration.parameters ?? declaration.parametersJsonSchema ?? { type: "object" }
    const args = dataForSchema(lowerCaseTypes(schema) as Record<string, unknown>, context)
    return [{ functionCall: { name: declaration.name, args } }]
  }
  const config = request.generationConfig
  const schema = lowerCaseTypes(config?.responseJsonSchema ?? config?.responseSchema)
  const text =
    schema === undefined
      ? plausibleText(context)
      : JSON.stringify(dataForSchema(schema as Record<string, unknown>, context))
  return [{ text }]
}

/** The first function, as long as no result has been sent. */
function functionToCall(request: GeminiRequest): Record<string, unknown> | undefined {
  const mode = request.toolConfig?.functionCallingConfig?.mode ?? "AUTO"
  if (mode === "NONE") return undefined
  const isAnswered = partsOf(request.contents.at(-1)).some(({ functionResponse }) => functionResponse !== undefined)
  return mode === "ANY" || !isAnswered ? functionsOf(request)[0] : undefined
}

/** Gemini's own schemas write types in capitals. */
function lowerCaseTypes(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(lowerCaseTypes)
  if (typeof schema !== "object" || schema === null) return schema
  return Object.fromEntries(
    Object.entries(schema).map(([name, value]) => [
      name,
      name === "type" && typeof value === "string" ? value.toLowerCase() : lowerCaseTypes(value),
    ]),
  )
}

function cutParts([part]: readonly Part[], tokens: number): Part[] {
  return typeof part?.text === "string" ? [{ text: cutToTokens(part.text, tokens) }] : []
}
