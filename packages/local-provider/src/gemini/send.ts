import type { ServerResponse } from "node:http"
import { piecesOf } from "../completion"
import type { Fault } from "../faults"
import { closed, untilFlushed, wait } from "../interruption"
import type { BilledCall, ProviderLedger } from "../ledger"
import type { GeminiAnswer } from "./answer"
import { totalInput } from "./count"
import { STATUS_NAMES, sendGeminiError } from "./errors"
import type { Part } from "./request"

/** How an answer is sent: one body, server-sent events, or one JSON array of chunks. */
export type Delivery = "json" | "events" | "array"

/** One call that is being answered. */
export interface GeminiCall {
  answer: GeminiAnswer
  line: BilledCall
  fault: Fault
  ledger: ProviderLedger
  delivery: Delivery
}

/** Sends an answer. It is billed whether or not it arrives, because it was generated. */
export async function sendGemini(response: ServerResponse, call: GeminiCall): Promise<void> {
  const { fault, delivery, line, ledger } = call
  if (fault.cut === "headers") return void response.destroy()
  if (fault.stall === "headers") return closed(response)
  if (fault.errorInBody !== undefined && delivery === "json") {
    if (!fault.billed) ledger.withdraw(line)
    return sendGeminiError(response, 200, fault.errorInBody.message)
  }
  if (delivery === "json") await sendBody(response, call)
  else await sendChunks(response, call)
}

async function sendBody(response: ServerResponse, call: GeminiCall): Promise<void> {
  const { answer, fault, line } = call
  const text = JSON.stringify(chunkOf(call, answer.parts, true))
  response.writeHead(200, headersOf(fault, "application/json; charset=UTF-8"))
  if (fault.cut === "body" || fault.stall === "body") {
    response.write(text.slice(0, Math.floor(text.length / 2)))
    if (fault.stall === "body") return closed(response)
    await untilFlushed(response)
    return void response.destroy()
  }
  line.reported = !fault.noUsage
  response.end(text)
}

async function sendChunks(response: ServerResponse, call: GeminiCall): Promise<void> {
  const { answer, fault, line, delivery, ledger } = call
  const isArray = delivery === "array"
  response.writeHead(200, headersOf(fault, isArray ? "application/json; charset=UTF-8" : "text/event-stream"))
  let sent = 0
  const write = (chunk: Record<string, unknown>) => {
    const json = JSON.stringify(chunk)
    response.write(isArray ? `${sent === 0 ? "[" : ",\r\n"}${json}` : `data: ${json}\r\n\r\n`)
    sent += 1
  }
  if (fault.errorInBody !== undefined) {
    const { code, message } = fault.errorInBody
    write({ error: { code, message, status: STATUS_NAMES[Number(code)] ?? "INTERNAL" } })
    if (!fault.billed) ledger.withdraw(line)
    return void response.end(isArray ? "]" : "")
  }
  const chunks = chunkParts(answer.parts)
  const after = fault.afterChunks ?? 1
  for (const [index, parts] of chunks.entries()) {
    if (index === after && (await interrupted(response, call))) return
    const isLast = index === chunks.length - 1
    if (isLast && chunks.length <= after && (await interrupted(response, call))) return
    write(chunkOf(call, parts, isLast))
    if (fault.chunkDelayMs !== undefined) await wait(response, fault.chunkDelayMs)
    if (response.destroyed) return
  }
  line.reported = !fault.noUsage
  response.end(isArray ? "]" : "")
}

/** The parts of each chunk: text in pieces, anything else whole. */
function chunkParts(parts: readonly Part[]): Part[][] {
  const chunks = parts.flatMap((part) =>
    typeof part.text === "string" ? piecesOf(part.text).map((text) => [{ text }]) : [[part]],
  )
  return chunks.length === 0 ? [[]] : chunks
}

/** One chunk, or the whole answer. The counts of the output are complete in the last chunk. */
function chunkOf(call: GeminiCall, parts: readonly Part[], isLast: boolean): Record<string, unknown> {
  const { answer, line, fault } = call
  const { blockReason, finishReason, candidates, searches } = answer
  const candidate = (index: number) => ({
    content: { parts, role: "model" },
    index,
    ...(isLast && finishReason !== undefined ? { finishReason } : {}),
    ...(isLast && searches > 0
      ? { groundingMetadata: { webSearchQueries: Array.from({ length: searches }, (_, query) => `query ${query}`) } }
      : {}),
  })
  return {
    ...(blockReason === undefined
      ? { candidates: Array.from({ length: candidates }, (_, index) => candidate(index)) }
      : { promptFeedback: { blockReason } }),
    ...(fault.noUsage ? {} : { usageMetadata: usageOf(answer, isLast) }),
    modelVersion: line.model,
    responseId: line.id,
  }
}

function usageOf(answer: GeminiAnswer, isLast: boolean): Record<string, unknown> {
  const { input, toolInput, outputTokens, thoughtTokens } = answer
  const prompt = totalInput(input)
  const output = isLast ? outputTokens : Math.min(1, outputTokens)
  const details = [
    { modality: "TEXT", tokenCount: input.text },
    { modality: "IMAGE", tokenCount: input.image },
    { modality: "AUDIO", tokenCount: input.audio },
  ]
  return {
    promptTokenCount: prompt,
    ...(output > 0 ? { candidatesTokenCount: output } : {}),
    ...(thoughtTokens > 0 ? { thoughtsTokenCount: thoughtTokens } : {}),
    ...(toolInput > 0 ? { toolUsePromptTokenCount: toolInput } : {}),
    ...(input.cached > 0 ? { cachedContentTokenCount: input.cached } : {}),
    totalTokenCount: prompt + toolInput + output + thoughtTokens,
    promptTokensDetails: details.filter(({ tokenCount }) => tokenCount > 0),
  }
}

function headersOf(fault: Fault, type: string): Record<string, string> {
  return { "content-type": type, ...fault.headers }
}

/** Whether a stall or a cut ends the answer here. */
async function interrupted(response: ServerResponse, { fault }: GeminiCall): Promise<boolean> {
  if (fault.cut === "stream" || fault.cut === "body") {
    await untilFlushed(response)
    response.destroy()
    return true
  }
  if (fault.stall !== "stream" && fault.stall !== "body") return false
  await closed(response)
  return true
}
