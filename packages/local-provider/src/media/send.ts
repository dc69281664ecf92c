import { randomBytes } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import { BadRequest } from "../chat-request"
import type { Fault } from "../faults"
import { closed, delayAnswer, untilFlushed, wait } from "../interruption"
import type { BilledCall, BilledUnits } from "../ledger"
import { remember, type ServerContext } from "../server-context"
import { type MediaRequest, readMediaRequest } from "./fields"

export type SendError = (status: number, error: Record<string, unknown>, headers?: Record<string, string>) => void

/** What the provider generates, and what it bills for it. */
export interface MediaAnswer {
  units: BilledUnits[]
  promptTokens: number
  completionTokens: number
  /** Whether the response reports what is billed. */
  isReported: boolean
  body:
    | { kind: "json"; value: Record<string, unknown> }
    | { kind: "text" | "bytes"; contentType: string; chunks: readonly (string | Uint8Array)[] }
    | { kind: "events"; events: readonly (Record<string, unknown> & { type: string })[] }
}

/**
 * Answers a request for media. `answer` gets the first bytes of the first file, and throws a {@link BadRequest} for a request that
 * is not billed.
 */
export async function handleMedia(
  context: ServerContext,
  request: IncomingMessage,
  response: ServerResponse,
  sendError: SendError,
  answer: (request: MediaRequest, fault: Fault, head: Uint8Array) => MediaAnswer,
): Promise<void> {
  const read = await readMediaRequest(request)
  const { fields } = read
  remember(context, request, fields)
  const model = String(fields.model)
  context.calls += 1
  const fault = context.faults.take({ model, body: fields, number: context.calls })
  await delayAnswer(response, fault, context.options)
  if (response.destroyed || response.socket?.destroyed) return
  const fail = () =>
    sendError(
      fault.status!,
      { message: `Fault of the local provider: status ${fault.status}.`, ...fault.error },
      fault.headers,
    )
  if (fault.status !== undefined && !fault.billed) return fail()
  const head = new Uint8Array((await read.files[0]?.file.slice(0, 64).arrayBuffer()) ?? [])
  const generated = answer(read, fault, head)
  const clientRequestId = request.headers["x-client-request-id"]
  const line = context.ledger.billUnits(
    {
      id: `media_${randomBytes(12).toString("hex")}`,
      model,
      api: "openai",
      promptTokens: generated.promptTokens,
      cachedTokens: 0,
      completionTokens: generated.completionTokens,
      reported: false,
      status: fault.status ?? 200,
      clientRequestId: typeof clientRequestId === "string" ? clientRequestId : undefined,
    },
    generated.units,
  )
  if (fault.status !== undefined) return fail()
  if (fault.stall === "headers") return closed(response)
  if (fault.cut === "headers") return void response.destroy()
  await sendMedia(response, generated, fault, line)
}

async function sendMedia(
  response: ServerResponse,
  { body, isReported }: MediaAnswer,
  fault: Fault,
  line: BilledCall,
): Promise<void> {
  const pieces = piecesOf(body)
  response.writeHead(200, { "content-type": contentTypeOf(body), "x-request-id": `req_${line.id}`, ...fault.headers })
  for (const [index, piece] of pieces.entries()) {
    if (index >= (fault.afterChunks ?? 1) || index === pieces.length - 1) {
      if (fault.cut !== undefined) {
        await untilFlushed(response)
        return void response.destroy()
      }
      if (fault.stall !== undefined) return closed(response)
    }
    response.write(piece)
    if (fault.chunkDelayMs !== undefined) await wait(response, fault.chunkDelayMs)
    if (response.destroyed) return
  }
  line.reported = isReported
  response.end()
}

function contentTypeOf(body: MediaAnswer["body"]): string {
  if (body.kind === "json") return "application/json"
  return body.kind === "events" ? "text/event-stream" : body.contentType
}

/** The body in pieces, between which it can be interrupted. */
function piecesOf(body: MediaAnswer["body"]): readonly (string | Uint8Array)[] {
  if (body.kind === "events")
    return body.events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
  if (body.kind !== "json") return body.chunks
  const text = JSON.stringify(body.value)
  return [text.slice(0, 20), text.slice(20)]
}

export { BadRequest }
