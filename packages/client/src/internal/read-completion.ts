import { ConnectionLostError } from "../client-errors"
import type { Completion } from "./completion"
import type { DeadlineRace } from "./deadline-race"
import { SseReader } from "./sse-reader"
import { isRecord } from "./usage-from-wire"

/** Most bytes of one answer: 32 MiB. */
export const MAX_ANSWER_BYTES = 32 * 1024 * 1024

export interface ReadOptions {
  response: Response
  race: DeadlineRace
  provider: string
  /** Whether a stream was asked for. */
  stream: boolean
  /** From one piece of content to the next, in milliseconds. */
  idleMs: number
  /** Called after each piece of content. */
  onContent?: (() => void) | undefined
}

/**
 * Reads a response into `completion`, which keeps what arrived also when this throws: the end of the race, or
 * {@link ConnectionLostError} when the body broke off or was larger than {@link MAX_ANSWER_BYTES}.
 */
export async function readCompletion(completion: Completion, options: ReadOptions): Promise<void> {
  const type = (options.response.headers.get("content-type") ?? "").toLowerCase()
  // Who was asked for a stream and does not say what it sends, sends a stream.
  const streamed = type.includes("text/event-stream") || (options.stream && !/json|html/.test(type))
  if (streamed) return readStream(completion, options)
  const text = await readText(options)
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    // A body that says it is JSON and breaks off is a lost connection by another name.
    completion.malformed = true
    completion.webPage = text.trimStart().startsWith("<")
    return
  }
  completion.end()
  if (!isRecord(body) || (!Array.isArray(body.choices) && body.error === undefined)) completion.malformed = true
  if (completion.take(body)) options.onContent?.()
}

async function readText(options: ReadOptions): Promise<string> {
  const decoder = new TextDecoder()
  let text = ""
  await readBytes(options, (bytes) => {
    const more = decoder.decode(bytes, { stream: true })
    const first = text === ""
    // Servers that keep a waiting connection alive send white space, which says nothing.
    if (first && more.trim() === "") return
    text += more
    if (first) {
      options.race.stop("first-content")
      options.race.start("idle", options.idleMs)
    } else options.race.refresh("idle")
  })
  return text + decoder.decode()
}

async function readStream(completion: Completion, options: ReadOptions): Promise<void> {
  const { race, idleMs, onContent } = options
  let content = false
  const reader = new SseReader((data) => {
    if (data === "[DONE]") {
      completion.end()
      return
    }
    let chunk: unknown
    try {
      chunk = JSON.parse(data)
    } catch {
      completion.malformed = true
      return
    }
    if (!completion.take(chunk)) return
    if (content) race.refresh("idle")
    else {
      content = true
      race.stop("first-content")
      race.start("idle", idleMs)
    }
    onContent?.()
  })
  await readBytes(options, (bytes) => reader.push(bytes))
  reader.end()
  if (!completion.complete && completion.error === undefined) throw new ConnectionLostError(options.provider)
}

async function readBytes(options: ReadOptions, take: (bytes: Uint8Array) => void): Promise<void> {
  const { response, race, provider } = options
  if (response.body === null) return
  const reader = response.body.getReader() as ReadableStreamDefaultReader<Uint8Array>
  let size = 0
  try {
    for (;;) {
      const { done, value } = await race.race(reader.read())
      if (done) return
      size += value.byteLength
      if (size > MAX_ANSWER_BYTES) throw new RangeError(`The answer is larger than ${MAX_ANSWER_BYTES} bytes.`)
      take(value)
    }
  } catch (error) {
    reader.cancel().catch(() => {})
    throw race.error ?? new ConnectionLostError(provider, error)
  }
}
