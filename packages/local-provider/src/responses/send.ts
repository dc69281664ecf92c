import type { ServerResponse } from "node:http"
import { piecesOf } from "../completion"
import type { Fault } from "../faults"
import { closed, untilFlushed, wait } from "../interruption"
import type { BilledCall, ProviderLedger } from "../ledger"
import { type ResponsesAnswer, textOf } from "./answer"
import type { Item, ResponsesRequest } from "./request"

/** One response that is being answered. */
export interface ResponsesCall {
  request: ResponsesRequest
  answer: ResponsesAnswer
  line: BilledCall
  fault: Fault
  ledger: ProviderLedger
  /** The tier that served the call. */
  serviceTier: string
}

/** A response that the provider has stored. */
export interface StoredResponse {
  call: ResponsesCall
  /** Tokens of all turns up to this response. */
  conversationTokens: number
  /** Polls until a background response has ended. */
  pollsLeft: number
  isCancelled: boolean
}

/** Sends a response as one JSON body. It is billed whether or not it arrives, because it was generated. */
export async function sendResponse(response: ServerResponse, call: ResponsesCall): Promise<void> {
  const { line, fault, ledger } = call
  if (fault.cut === "headers") return void response.destroy()
  if (fault.stall === "headers") return closed(response)
  if (fault.errorInBody !== undefined && !fault.billed) ledger.withdraw(line)
  const text = JSON.stringify(responseBody(call, fault.errorInBody === undefined ? endOf(call) : "failed"))
  response.writeHead(200, headersOf(call, "application/json"))
  if (fault.cut === "body" || fault.stall === "body") {
    response.write(text.slice(0, Math.floor(text.length / 2)))
    if (fault.stall === "body") return closed(response)
    await untilFlushed(response)
    return void response.destroy()
  }
  line.reported = isReported(fault)
  response.end(text)
}

/** Sends a response as server-sent events. A broken stream is billed in full, because the answer was generated. */
export async function sendResponseEvents(response: ServerResponse, call: ResponsesCall): Promise<void> {
  const { answer, line, fault, ledger } = call
  if (fault.cut === "headers") return void response.destroy()
  if (fault.stall === "headers") return closed(response)
  response.writeHead(200, headersOf(call, "text/event-stream; charset=utf-8"))
  let number = 0
  const event = (type: string, data: Record<string, unknown>) =>
    void response.write(`event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: number++, ...data })}\n\n`)
  event("response.created", { response: responseBody(call, "in_progress") })
  event("response.in_progress", { response: responseBody(call, "in_progress") })
  if (fault.errorInBody !== undefined) {
    if (!fault.billed) ledger.withdraw(line)
    line.reported = isReported(fault)
    event("response.failed", { response: responseBody(call, "failed") })
    return void response.end()
  }
  let sent = 0
  for (const [index, item] of answer.output.entries()) {
    event("response.output_item.added", { output_index: index, item: emptied(item) })
    const { delta, done, extra } = eventNames(item)
    for (const piece of delta === undefined ? [] : piecesOf(textOf(item))) {
      if (await interrupted(response, call, sent)) return
      event(delta!, { ...extra, item_id: item.id, output_index: index, delta: piece })
      sent += 1
      if (fault.chunkDelayMs !== undefined) await wait(response, fault.chunkDelayMs)
      if (response.destroyed) return
    }
    if (done !== undefined) event(done, { ...extra, item_id: item.id, output_index: index, ...doneFields(item) })
    event("response.output_item.done", { output_index: index, item })
  }
  const after = fault.afterChunks ?? 1
  if (sent <= after && (await interrupted(response, call, after))) return
  if (!fault.noFinishReason) {
    const end = endOf(call)
    event(`response.${end}`, { response: responseBody(call, end) })
    line.reported = isReported(fault)
  }
  response.end()
}

/** A response as the API shows it. */
export function responseBody(call: ResponsesCall, status: string): Record<string, unknown> {
  const { request, answer, line, fault, serviceTier } = call
  const hasEnded = status === "completed" || status === "incomplete" || status === "failed"
  return {
    id: line.id,
    object: "response",
    created_at: Math.floor(Date.now() / 1000),
    status,
    background: request.background === true,
    error:
      status === "failed"
        ? { code: "server_error", message: "Fault of the local provider.", ...fault.errorInBody }
        : null,
    incomplete_details: status === "incomplete" ? { reason: "max_output_tokens" } : null,
    instructions: request.instructions ?? null,
    max_output_tokens: request.max_output_tokens ?? null,
    max_tool_calls: request.max_tool_calls ?? null,
    model: request.model,
    output: hasEnded && status !== "failed" ? answer.output : [],
    parallel_tool_calls: true,
    previous_response_id: request.previous_response_id ?? null,
    reasoning: { effort: null, summary: null },
    service_tier: hasEnded ? serviceTier : (request.service_tier ?? "auto"),
    store: request.store ?? true,
    temperature: 1,
    text: request.text ?? { format: { type: "text" } },
    tool_choice: request.tool_choice ?? "auto",
    tools: request.tools ?? [],
    top_p: 1,
    truncation: "disabled",
    usage: hasEnded && !fault.noUsage && (status !== "failed" || fault.billed) ? usageOf(answer) : null,
    metadata: request.metadata ?? {},
  }
}

function usageOf(answer: ResponsesAnswer): Record<string, unknown> {
  return {
    input_tokens: answer.inputTokens,
    input_tokens_details: { cached_tokens: answer.cachedTokens },
    output_tokens: answer.outputTokens,
    output_tokens_details: { reasoning_tokens: answer.reasoningTokens },
    total_tokens: answer.inputTokens + answer.outputTokens,
  }
}

/** The status of a response that has ended. */
export function endOf({ answer }: ResponsesCall): "completed" | "incomplete" {
  return answer.isCut ? "incomplete" : "completed"
}

function isReported(fault: Fault): boolean {
  return !fault.noUsage && (fault.errorInBody === undefined || fault.billed === true)
}

function headersOf({ line, fault }: ResponsesCall, type: string): Record<string, string> {
  return { "content-type": type, "x-request-id": `req_${line.id}`, ...fault.headers }
}

/** An item as it starts in a stream: without what the deltas contain. */
function emptied(item: Item): Item {
  if (item.type === "function_call") return { ...item, arguments: "", status: "in_progress" }
  if (item.type === "custom_tool_call") return { ...item, input: "", status: "in_progress" }
  return item.type === "message" ? { ...item, content: [], status: "in_progress" } : item
}

function eventNames(item: Item): { delta?: string; done?: string; extra: Record<string, unknown> } {
  if (item.type === "function_call")
    return {
      delta: "response.function_call_arguments.delta",
      done: "response.function_call_arguments.done",
      extra: {},
    }
  if (item.type === "custom_tool_call") {
    const prefix = "response.custom_tool_call_input"
    return { delta: `${prefix}.delta`, done: `${prefix}.done`, extra: {} }
  }
  if (item.type !== "message") return { extra: {} }
  const name = partOf(item).type === "refusal" ? "refusal" : "output_text"
  return { delta: `response.${name}.delta`, done: `response.${name}.done`, extra: { content_index: 0 } }
}

function doneFields(item: Item): Record<string, unknown> {
  if (item.type === "function_call") return { arguments: item.arguments, name: item.name }
  if (item.type === "custom_tool_call") return { input: item.input }
  const part = partOf(item)
  return part.type === "refusal" ? { refusal: part.refusal } : { text: part.text }
}

function partOf(item: Item): Item {
  return ((item.content ?? []) as Item[])[0] ?? {}
}

/** Whether a stall or a cut ends the stream before delta `index`. */
async function interrupted(response: ServerResponse, { fault }: ResponsesCall, index: number): Promise<boolean> {
  if (index !== (fault.afterChunks ?? 1)) return false
  if (fault.cut === "stream" || fault.cut === "body") {
    await untilFlushed(response)
    response.destroy()
    return true
  }
  if (fault.stall !== "stream" && fault.stall !== "body") return false
  const comments =
    fault.keepAliveMs === undefined
      ? undefined
      : setInterval(() => response.write(": still here\n\n"), fault.keepAliveMs)
  await closed(response)
  clearInterval(comments)
  return true
}
