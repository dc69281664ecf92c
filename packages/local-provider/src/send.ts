import type { ServerResponse } from "node:http"
import type { ChatRequest } from "./chat-request"
import type { Completion } from "./completion"
import type { Fault } from "./faults"
import { closed, untilFlushed, wait } from "./interruption"
import type { BilledCall, ProviderLedger, Rates } from "./ledger"
import { chunkBody, completionBody, deltasOf, usageOf } from "./wire-format"

/** One call that is being answered. */
export interface Call {
  request: ChatRequest
  completion: Completion
  line: BilledCall
  fault: Fault
  rates: Rates
  ledger: ProviderLedger
}

/** Sends an answer as one JSON body. It is billed whether or not it arrives, because it was generated. */
export async function sendJson(response: ServerResponse, call: Call): Promise<void> {
  const { completion, line, fault } = call
  if (fault.cut === "headers") return void response.destroy()
  if (fault.stall === "headers") return closed(response)
  const usage = !fault.noUsage
  const body =
    fault.errorInBody === undefined
      ? completionBody(completion, line, { usage })
      : { error: fault.errorInBody, ...(fault.billed ? { id: line.id, usage: usageOf(completion, line) } : {}) }
  if (fault.errorInBody !== undefined && !fault.billed) call.ledger.withdraw(line)
  const text = JSON.stringify(body)
  response.writeHead(200, headersOf(call, "application/json"))
  if (fault.cut === "body" || fault.stall === "body") {
    response.write(text.slice(0, Math.floor(text.length / 2)))
    if (fault.stall === "body") return closed(response)
    await untilFlushed(response)
    return void response.destroy()
  }
  line.reported = usage && (fault.errorInBody === undefined || fault.billed === true)
  response.end(text)
}

/** Sends an answer as server-sent events. A broken stream is billed in full, because the answer was generated. */
export async function sendStream(response: ServerResponse, call: Call): Promise<void> {
  const { completion, line, fault } = call
  if (fault.cut === "headers") return void response.destroy()
  if (fault.stall === "headers") return closed(response)
  response.writeHead(200, headersOf(call, "text/event-stream"))
  if (line.api === "openrouter") response.write(": OPENROUTER PROCESSING\n\n")
  if (fault.errorInBody !== undefined) return endWithError(response, call)
  const isCall = completion.calls.length > 0 && completion.text === ""
  event(response, chunkBody(line, { role: "assistant", content: isCall ? null : "" }))
  const deltas = deltasOf(completion)
  for (const [index, delta] of deltas.entries()) {
    if (await interrupted(response, call, index)) return
    event(response, chunkBody(line, delta))
    if (fault.chunkDelayMs !== undefined) await wait(response, fault.chunkDelayMs)
    if (response.destroyed) return
  }
  if (deltas.length <= (fault.afterChunks ?? 1) && (await interrupted(response, call, fault.afterChunks ?? 1))) return
  if (!fault.noFinishReason) event(response, chunkBody(line, {}, completion.finishReason))
  const isRequested = call.request.stream_options?.include_usage === true || line.api === "openrouter"
  if (isRequested && !fault.noUsage) {
    event(response, chunkBody(line, undefined, null, { usage: usageOf(completion, line) }))
    line.reported = true
  }
  response.end("data: [DONE]\n\n")
}

/** Whether a stall or a cut ends the stream before piece `index`. */
async function interrupted(response: ServerResponse, call: Call, index: number): Promise<boolean> {
  const { fault } = call
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

function endWithError(response: ServerResponse, call: Call): void {
  const { fault, line, completion } = call
  event(response, {
    error: fault.errorInBody,
    ...(fault.billed ? { id: line.id, usage: usageOf(completion, line), choices: [] } : {}),
  })
  if (!fault.billed) call.ledger.withdraw(line)
  line.reported = fault.billed === true
  response.end("data: [DONE]\n\n")
}

function headersOf(call: Call, type: string): Record<string, string> {
  const id = call.line.api === "openrouter" ? { "x-generation-id": call.line.id } : { "x-request-id": call.line.id }
  return { "content-type": type, ...id, ...call.fault.headers }
}

function event(response: ServerResponse, body: unknown): void {
  response.write(`data: ${JSON.stringify(body)}\n\n`)
}
