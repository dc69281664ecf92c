import type { P2Error } from "@p2/core"
import { ConnectionLostError } from "../errors"
import { Completion } from "./completion"
import type { DeadlineRace } from "./deadline-race"
import { isRecord, parseJson, shortString } from "./json"
import { SseReader } from "./sse-reader"

/** The largest response, in bytes: 32 MiB. */
export const MAX_RESPONSE_BYTES = 32 * 1024 * 1024

export interface ReadOptions {
  provider: string
  race: DeadlineRace
  /** Whether a stream was requested. */
  streamed: boolean
  idleMs: number
  /** Called after each piece of content with the text so far. */
  onContent: (text: string) => void
}

/**
 * Reads a response. `broken`: the race ended, the connection closed early, or the body exceeded
 * {@link MAX_RESPONSE_BYTES}; the completion has what arrived.
 */
export async function readResponse(
  response: Response,
  options: ReadOptions,
): Promise<{ completion: Completion } & ({ status: "complete" } | { status: "broken"; error: P2Error })> {
  const { provider, race, streamed } = options
  const completion = new Completion(shortString(response.headers.get("x-generation-id")))
  const type = (response.headers.get("content-type") ?? "").toLowerCase()
  // A response to a streamed request without a clear content type is a stream.
  const isStream = type.includes("text/event-stream") || (streamed && !/json|html/.test(type))
  const parser = isStream ? eventParser(completion, options) : jsonParser(completion, options)
  const reader = response.body?.getReader() as ReadableStreamDefaultReader<Uint8Array> | undefined
  try {
    for (let size = 0; reader !== undefined; ) {
      const { done, value } = await race.wait(reader.read())
      if (done) break
      size += value.byteLength
      if (size > MAX_RESPONSE_BYTES) throw new RangeError(`The response is larger than ${MAX_RESPONSE_BYTES} bytes.`)
      parser.push(value)
    }
    parser.end()
    return { status: "complete", completion }
  } catch (error) {
    reader?.cancel().catch(() => {})
    const lost = error instanceof ConnectionLostError ? error : new ConnectionLostError(provider, error)
    return { status: "broken", error: race.error ?? lost, completion }
  }
}

const BYTE_ORDER_MARK = /^\uFEFF/

/** Parses the bytes of a body as they arrive. */
interface BodyParser {
  push(bytes: Uint8Array): void
  end(): void
}

function jsonParser(completion: Completion, { race, idleMs, onContent }: ReadOptions): BodyParser {
  const pieces: Uint8Array[] = []
  return {
    push(bytes) {
      // Servers send white space to keep a waiting connection alive; it is not content.
      if (pieces.length === 0 && bytes.every((byte) => byte <= 32)) return
      race.refreshIdle(idleMs)
      pieces.push(bytes)
    },
    end() {
      const text = Buffer.concat(pieces).toString("utf8").replace(BYTE_ORDER_MARK, "")
      const body = parseJson(text)
      if (body === undefined) {
        completion.malformed = true
        completion.webPage = text.trimStart().startsWith("<")
        return
      }
      completion.end()
      if (!isRecord(body) || (!Array.isArray(body.choices) && body.error === undefined)) completion.malformed = true
      if (completion.add(body)) onContent(completion.text)
    },
  }
}

function eventParser(completion: Completion, { provider, race, idleMs, onContent }: ReadOptions): BodyParser {
  const reader = new SseReader((data) => {
    if (data === "[DONE]") return completion.end()
    if (!completion.add(parseJson(data))) return
    race.refreshIdle(idleMs)
    onContent(completion.text)
  })
  return {
    push: (bytes) => reader.push(bytes),
    end() {
      reader.end()
      if (!completion.complete && completion.error === undefined) throw new ConnectionLostError(provider)
    },
  }
}
