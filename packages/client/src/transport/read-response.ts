import { type P2Error, parseJson } from "@p2/core"
import type { ChatCompletion } from "@p2/guard/protocols"
import { isEventStream, MAX_RESPONSE_BYTES, type SseBlock, SseReader } from "@p2/guard/transport"
import { ConnectionLostError } from "../errors"
import type { DeadlineRace } from "./deadline-race"

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
 * Reads a response into the completion. Returns why the response is incomplete: the race ended, the connection closed early, or
 * the body exceeded {@link MAX_RESPONSE_BYTES}. The completion then has what arrived. Undefined: it is complete.
 */
export async function readResponse(
  response: Response,
  completion: ChatCompletion,
  options: ReadOptions,
): Promise<P2Error | undefined> {
  const { provider, race, streamed } = options
  const parser = isEventStream(response.headers, { streamed })
    ? eventParser(completion, options)
    : jsonParser(completion, options)
  const reader = response.body?.getReader() as ReadableStreamDefaultReader<Uint8Array> | undefined
  try {
    if (reader !== undefined) await race.wait(readBody(reader, parser, race))
    parser.end()
    return undefined
  } catch (error) {
    reader?.cancel().catch(() => {})
    const lost = error instanceof ConnectionLostError ? error : new ConnectionLostError(provider, error)
    return race.error ?? lost
  }
}

/** Reads until the body or the race has ended. What arrives after the race is dropped. */
async function readBody(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  parser: BodyParser,
  race: DeadlineRace,
): Promise<void> {
  for (let size = 0; ; ) {
    const { done, value } = await reader.read()
    if (done || race.error !== undefined) return
    size += value.byteLength
    if (size > MAX_RESPONSE_BYTES) throw new RangeError(`The response is larger than ${MAX_RESPONSE_BYTES} bytes.`)
    parser.push(value)
  }
}

const BYTE_ORDER_MARK = /^\uFEFF/

/** Parses the bytes of a body as they arrive. */
interface BodyParser {
  push(bytes: Uint8Array): void
  end(): void
}

function jsonParser(completion: ChatCompletion, { race, idleMs, onContent }: ReadOptions): BodyParser {
  const pieces: Uint8Array[] = []
  return {
    push(bytes) {
      // Servers send white space to keep an idle connection alive; it is not content.
      if (pieces.length === 0 && bytes.every((byte) => byte <= 32)) return
      race.refreshIdle(idleMs)
      pieces.push(bytes)
    },
    end() {
      const text = Buffer.concat(pieces).toString("utf8").replace(BYTE_ORDER_MARK, "")
      if (completion.add({ event: undefined, data: parseJson(text), text }).hasContent) onContent(completion.text)
      completion.end()
    },
  }
}

function eventParser(completion: ChatCompletion, { provider, race, idleMs, onContent }: ReadOptions): BodyParser {
  const reader = new SseReader()
  const add = (blocks: readonly SseBlock[]) => {
    for (const { kind, event, data } of blocks) {
      if (kind !== "event" || !completion.add({ event, data: parseJson(data), text: data }).hasContent) continue
      race.refreshIdle(idleMs)
      onContent(completion.text)
    }
  }
  return {
    push: (bytes) => add(reader.push(bytes)),
    end() {
      add(reader.end())
      completion.end()
      if (completion.read().state === "open") throw new ConnectionLostError(provider)
    },
  }
}
