import { ConnectionLostError } from "../client-errors"
import type { Attempt } from "./attempt"
import type { Completion } from "./completion"
import { parseJson } from "./parse-json"
import { SseReader } from "./sse-reader"
import { isRecord } from "./usage-from-wire"

/** Most bytes of one answer: 32 MiB. */
export const MAX_ANSWER_BYTES = 32 * 1024 * 1024

export interface ReadOptions {
  attempt: Attempt
  response: Response
  /** Called after each piece of content. */
  onContent: () => void
}

/** For what is decoded at once: a decoder that keeps a state costs Node several times as much. */
const UTF8 = new TextDecoder()

/** Takes the bytes of a body as they come. */
interface Sink {
  push(bytes: Uint8Array): void
  end(): void
}

/**
 * Reads a response into `completion`, which keeps what arrived also when this throws: the end of the race, or
 * {@link ConnectionLostError} when the body broke off or was larger than {@link MAX_ANSWER_BYTES}.
 */
export async function readCompletion(completion: Completion, options: ReadOptions): Promise<void> {
  const { attempt, response } = options
  const { ask, race, receipt } = attempt
  const type = (response.headers.get("content-type") ?? "").toLowerCase()
  // Who was asked for a stream and does not say what it sends, sends a stream.
  const streamed = type.includes("text/event-stream") || (receipt.streamed && !/json|html/.test(type))
  const sink = streamed ? eventsInto(completion, options) : jsonInto(completion, options)
  const reader = response.body?.getReader() as ReadableStreamDefaultReader<Uint8Array> | undefined
  try {
    for (let size = 0; reader !== undefined; ) {
      const { done, value } = await race.race(reader.read())
      if (done) break
      size += value.byteLength
      if (size > MAX_ANSWER_BYTES) throw new RangeError(`The answer is larger than ${MAX_ANSWER_BYTES} bytes.`)
      sink.push(value)
    }
  } catch (error) {
    reader?.cancel().catch(() => {})
    throw race.error ?? new ConnectionLostError(ask.route.provider.name, error)
  }
  sink.end()
}

function jsonInto(completion: Completion, { attempt: { race, run }, onContent }: ReadOptions): Sink {
  const pieces: Uint8Array[] = []
  return {
    push(bytes) {
      // Servers that keep a waiting connection alive send white space, which says nothing.
      if (pieces.length === 0 && bytes.every((byte) => byte <= 32)) return
      race.refreshIdle(run.deadlines.idleMs)
      pieces.push(bytes)
    },
    end() {
      const text = UTF8.decode(pieces.length === 1 ? pieces[0] : Buffer.concat(pieces))
      const body = parseJson(text)
      if (body === undefined) {
        // A body that says it is JSON and breaks off is a lost connection by another name.
        completion.malformed = true
        completion.webPage = text.trimStart().startsWith("<")
        return
      }
      completion.end()
      if (!isRecord(body) || (!Array.isArray(body.choices) && body.error === undefined)) completion.malformed = true
      if (completion.take(body)) onContent()
    },
  }
}

function eventsInto(completion: Completion, { attempt, onContent }: ReadOptions): Sink {
  const reader = new SseReader((data) => {
    // What is no JSON is no object either, which is malformed.
    if (data === "[DONE]") completion.end()
    else if (completion.take(parseJson(data))) onContent()
  })
  return {
    push: (bytes) => reader.push(bytes),
    end() {
      reader.end()
      if (!completion.complete && completion.error === undefined)
        throw new ConnectionLostError(attempt.ask.route.provider.name)
    },
  }
}
