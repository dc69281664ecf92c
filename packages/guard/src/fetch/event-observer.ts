import { parseJson } from "@p2/core"
import type { Meter, WireEvent } from "../protocols/meter"
import { type BodyObserver, joinBytes } from "../transport/read-ahead"

/** An event that is longer is passed on unread, in bytes: 8 MiB. */
const MAX_EVENT_BYTES = 8 * 1024 * 1024
const LINE_FEED = 10
const CARRIAGE_RETURN = 13
const NOTHING = new Uint8Array(0)

/**
 * Shows the events of a stream to a meter, and hides those that have nothing but usage from a reader who did not request
 * it. The reader gets every other byte as it came, a whole event at a time.
 */
export class EventObserver implements BodyObserver {
  readonly #meter: Meter
  readonly #hidesUsage: boolean
  /** The event that has not ended yet. */
  #event: Uint8Array[] = []
  #eventBytes = 0
  /** Whether the current line is empty so far, and whether the last byte was a carriage return. */
  #isLineEmpty = true
  #endedWithReturn = false

  constructor(meter: Meter, options: { hidesUsage: boolean }) {
    this.#meter = meter
    this.#hidesUsage = options.hidesUsage
  }

  add(chunk: Uint8Array): Uint8Array {
    const passed: Uint8Array[] = []
    let start = 0
    for (let index = 0; index < chunk.length; index++) {
      if (!this.#endsEvent(chunk[index]!)) continue
      // A line feed after the carriage return belongs to the event.
      const end = chunk[index] === CARRIAGE_RETURN && chunk[index + 1] === LINE_FEED ? index + 2 : index + 1
      passed.push(...this.#endEvent(chunk.subarray(start, end)))
      start = end
    }
    this.#keep(chunk.subarray(start))
    if (this.#eventBytes > MAX_EVENT_BYTES) passed.push(...this.#flush())
    return passed.length === 1 ? passed[0]! : joinBytes(passed)
  }

  end(): Uint8Array {
    // An event without its final empty line counts, because some servers omit it.
    const rest = this.#endEvent(NOTHING)
    this.#meter.end()
    return rest.length === 1 ? rest[0]! : NOTHING
  }

  /** Whether this byte ends an empty line. Lines end with LF, CR or CRLF. */
  #endsEvent(byte: number): boolean {
    const isSecondOfPair = byte === LINE_FEED && this.#endedWithReturn
    this.#endedWithReturn = byte === CARRIAGE_RETURN
    if (isSecondOfPair) return false
    const wasEmpty = this.#isLineEmpty
    this.#isLineEmpty = byte === LINE_FEED || byte === CARRIAGE_RETURN
    return wasEmpty && this.#isLineEmpty
  }

  #keep(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.#event.push(bytes)
    this.#eventBytes += bytes.length
  }

  /** The bytes of the event, or nothing if it is hidden. */
  #endEvent(last: Uint8Array): Uint8Array[] {
    this.#keep(last)
    const bytes = this.#flush()
    const event = bytes.length === 0 ? undefined : parseEvent(new TextDecoder().decode(bytes[0]))
    const isHidden = event !== undefined && this.#meter.add(event).usageOnly && this.#hidesUsage
    return isHidden ? [] : bytes
  }

  #flush(): Uint8Array[] {
    const pieces = this.#event
    this.#event = []
    this.#eventBytes = 0
    return pieces.length > 1 ? [joinBytes(pieces)] : pieces
  }
}

/** Parses one event (WHATWG HTML, section 9.2.6); undefined: only comments or other fields. An event without a name is a `message`. */
function parseEvent(text: string): WireEvent | undefined {
  const data: string[] = []
  let name = "message"
  for (const line of text.split(/\r\n?|\n/)) {
    const field = /^(event|data)(?:: ?|$)/.exec(line)
    if (field?.[1] === "data") data.push(line.slice(field[0].length))
    else if (field?.[1] === "event") name = line.slice(field[0].length)
  }
  if (data.length === 0) return undefined
  const joined = data.join("\n")
  return { event: name, data: parseJson(joined), text: joined }
}
