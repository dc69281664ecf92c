import type { ServerResponse } from "node:http"
import { piecesOf } from "../completion"
import type { Fault } from "../faults"
import { closed, untilFlushed, wait } from "../interruption"
import type { BilledCall, ProviderLedger } from "../ledger"
import type { ClaudeAnswer } from "./answer"
import type { Block, ClaudeRequest } from "./request"

/** One call that is being answered. */
export interface ClaudeCall {
  request: ClaudeRequest
  answer: ClaudeAnswer
  line: BilledCall
  fault: Fault
  ledger: ProviderLedger
}

/** Sends an answer as one JSON body. It is billed whether or not it arrives, because it was generated. */
export async function sendMessage(response: ServerResponse, call: ClaudeCall): Promise<void> {
  const { answer, line, fault, ledger } = call
  if (fault.cut === "headers") return void response.destroy()
  if (fault.stall === "headers") return closed(response)
  const message =
    fault.errorInBody !== undefined
      ? errorBody(fault)
      : {
          ...messageStart(call),
          content: answer.content,
          stop_reason: answer.stopReason,
          ...(fault.noUsage ? {} : { usage: usageOf(call) }),
        }
  if (fault.errorInBody !== undefined && !fault.billed) ledger.withdraw(line)
  const text = JSON.stringify(message)
  response.writeHead(200, headersOf(call, "application/json"))
  if (fault.cut === "body" || fault.stall === "body") {
    response.write(text.slice(0, Math.floor(text.length / 2)))
    if (fault.stall === "body") return closed(response)
    await untilFlushed(response)
    return void response.destroy()
  }
  line.reported = !fault.noUsage && fault.errorInBody === undefined
  response.end(text)
}

/** Sends an answer as server-sent events. A broken stream is billed in full, because the answer was generated. */
export async function sendEvents(response: ServerResponse, call: ClaudeCall): Promise<void> {
  const { answer, line, fault } = call
  if (fault.cut === "headers") return void response.destroy()
  if (fault.stall === "headers") return closed(response)
  response.writeHead(200, headersOf(call, "text/event-stream; charset=utf-8"))
  const start = { ...messageStart(call), content: [], stop_reason: null }
  event(response, "message_start", {
    message: fault.noUsage ? start : { ...start, usage: { ...usageOf(call), output_tokens: 1, server_tool_use: null } },
  })
  event(response, "ping", {})
  if (fault.errorInBody !== undefined) return endWithError(response, call)
  let sent = 0
  for (const [index, block] of answer.content.entries()) {
    event(response, "content_block_start", { index, content_block: emptyBlock(block) })
    for (const delta of deltasOf(block)) {
      if (await interrupted(response, call, sent)) return
      event(response, "content_block_delta", { index, delta })
      sent += 1
      if (fault.chunkDelayMs !== undefined) await wait(response, fault.chunkDelayMs)
      if (response.destroyed) return
    }
    event(response, "content_block_stop", { index })
  }
  const after = fault.afterChunks ?? 1
  if (sent <= after && (await interrupted(response, call, after))) return
  event(response, "message_delta", {
    delta: { stop_reason: answer.stopReason, stop_sequence: null },
    ...(fault.noUsage ? {} : { usage: usageOf(call) }),
  })
  line.reported = !fault.noUsage
  if (!fault.noFinishReason) event(response, "message_stop", {})
  response.end()
}

/** Usage as the API reports it. */
function usageOf({ request, answer }: ClaudeCall): Record<string, unknown> {
  const { fresh, cacheRead, cacheWrite, cacheWrite1h } = answer.input
  return {
    input_tokens: fresh,
    cache_creation_input_tokens: cacheWrite + cacheWrite1h,
    cache_read_input_tokens: cacheRead,
    cache_creation: { ephemeral_5m_input_tokens: cacheWrite, ephemeral_1h_input_tokens: cacheWrite1h },
    output_tokens: answer.outputTokens,
    ...(answer.searches > 0
      ? { server_tool_use: { web_search_requests: answer.searches, web_fetch_requests: 0 } }
      : {}),
    service_tier: "standard",
    ...(request.inference_geo === undefined ? {} : { inference_geo: request.inference_geo }),
    ...(request.speed === undefined ? {} : { speed: request.speed }),
  }
}

function messageStart({ line }: ClaudeCall): Record<string, unknown> {
  return { id: line.id, type: "message", role: "assistant", model: line.model, stop_sequence: null }
}

function headersOf({ line, fault }: ClaudeCall, type: string): Record<string, string> {
  return { "content-type": type, "request-id": `req_${line.id}`, ...fault.headers }
}

/** A block as it starts in a stream: without what the deltas contain. */
function emptyBlock(block: Block): Block {
  if (block.type === "text") return { ...block, text: "" }
  if (block.type === "thinking") return { ...block, thinking: "", signature: "" }
  return block.type.endsWith("tool_use") ? { ...block, input: {} } : block
}

function deltasOf(block: Block): Record<string, unknown>[] {
  if (block.type === "text") return piecesOf(String(block.text)).map((text) => ({ type: "text_delta", text }))
  if (block.type === "thinking")
    return [
      { type: "thinking_delta", thinking: block.thinking },
      { type: "signature_delta", signature: block.signature },
    ]
  if (!block.type.endsWith("tool_use")) return []
  return piecesOf(JSON.stringify(block.input)).map((json) => ({ type: "input_json_delta", partial_json: json }))
}

/** Whether a stall or a cut ends the stream before delta `index`. */
async function interrupted(response: ServerResponse, { fault }: ClaudeCall, index: number): Promise<boolean> {
  if (index !== (fault.afterChunks ?? 1)) return false
  if (fault.cut === "stream" || fault.cut === "body") {
    await untilFlushed(response)
    response.destroy()
    return true
  }
  if (fault.stall !== "stream" && fault.stall !== "body") return false
  const pings =
    fault.keepAliveMs === undefined ? undefined : setInterval(() => event(response, "ping", {}), fault.keepAliveMs)
  await closed(response)
  clearInterval(pings)
  return true
}

function endWithError(response: ServerResponse, { fault, line, ledger }: ClaudeCall): void {
  event(response, "error", errorBody(fault))
  if (!fault.billed) ledger.withdraw(line)
  response.end()
}

function errorBody({ errorInBody }: Fault): Record<string, unknown> {
  return { type: "error", error: { type: String(errorInBody?.code), message: errorInBody?.message } }
}

function event(response: ServerResponse, type: string, data: Record<string, unknown>): void {
  response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`)
}
