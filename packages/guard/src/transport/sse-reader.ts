import { joinBytes } from "./bytes"

/** The longest event, in bytes: 16 MiB. */
export const MAX_EVENT_BYTES = 16 * 1024 * 1024

/** An event, or the comments and other lines between two events. */
export interface SseBlock {
  /** `other`: a comment, or fields without data. */
  kind: "event" | "other"
  /** The name of the event. @defaultValue `message` */
  event: string
  /** The data lines, joined by line feeds, or the line that was damaged. */
  data: string
  /** Where the block ends in the bytes that were pushed last. */
  end: number
}

export const LINE_FEED = 10
export const CARRIAGE_RETURN = 13

/**
 * Parses server-sent events from chunks of bytes (WHATWG HTML, section 9.2.6), in time linear in their size. `id` and
 * `retry` have no meaning here. It is stricter than the standard, which ignores a line of no known field: such a line
 * is the rest of an event whose beginning was lost, so it is reported as an event whose data is the line itself.
 */
export class SseReader {
  /** The pieces of the line that has not ended. */
  #line: Uint8Array[] = []
  #data: string[] = []
  #event = "message"
  #damagedLine: string | undefined
  /** Bytes of the event that has not ended. */
  #size = 0
  /** The last piece ended with a carriage return: a line feed now belongs to the same line end. */
  #endedWithReturn = false
  readonly #decoder = new TextDecoder()

  /**
   * Returns the blocks that end in these bytes.
   * @throws RangeError when an event is larger than {@link MAX_EVENT_BYTES}.
   */
  push(bytes: Uint8Array): SseBlock[] {
    const blocks: SseBlock[] = []
    let start = 0
    if (bytes.byteLength > 0) {
      if (this.#endedWithReturn && bytes[0] === LINE_FEED) start = 1
      this.#endedWithReturn = bytes[bytes.byteLength - 1] === CARRIAGE_RETURN
    }
    for (const end of lineEnds(bytes, start)) {
      const next = bytes[end] === CARRIAGE_RETURN && bytes[end + 1] === LINE_FEED ? end + 2 : end + 1
      this.#size += next - start
      this.#line.push(bytes.subarray(start, end))
      const block = this.#endLine(next)
      if (block !== undefined) blocks.push(block)
      start = next
    }
    // A copy, because the caller may pass the bytes on, which detaches their buffer.
    if (start < bytes.byteLength) this.#line.push(bytes.slice(start))
    this.#size += bytes.byteLength - start
    if (this.#size > MAX_EVENT_BYTES) throw new RangeError(`An event is larger than ${MAX_EVENT_BYTES} bytes.`)
    return blocks
  }

  /** Ends the stream. Returns the event without its final empty line, which some servers omit. */
  end(): SseBlock[] {
    const blocks = [this.#endLine(0), this.#endLine(0)]
    return blocks.filter((block) => block !== undefined)
  }

  #endLine(end: number): SseBlock | undefined {
    const [first] = this.#line
    const line = this.#decoder.decode(this.#line.length === 1 ? first : joinBytes(this.#line))
    this.#line = []
    if (line !== "") {
      this.#addField(line)
      return undefined
    }
    const data = this.#damagedLine ?? this.#data.join("\n")
    // `event: error` is reported even without data.
    const hasData = this.#data.length > 0 || this.#damagedLine !== undefined || this.#event === "error"
    const block: SseBlock = { kind: hasData ? "event" : "other", event: this.#event, data, end }
    this.#data = []
    this.#event = "message"
    this.#damagedLine = undefined
    this.#size = 0
    return block
  }

  #addField(line: string): void {
    const colon = line.indexOf(":")
    const name = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? "" : line.slice(line.startsWith(" ", colon + 1) ? colon + 2 : colon + 1)
    if (name === "data") this.#data.push(value)
    else if (name === "event") this.#event = value
    else if (!isIgnored(name, value)) this.#damagedLine ??= line
  }
}

/**
 * Comments, and fields without a meaning here. A comment that contains the end of an object is the rest of a data line.
 */
function isIgnored(name: string, value: string): boolean {
  return name === "" ? !value.endsWith("}") : name === "id" || name === "retry"
}

/** Where the lines end: the positions of line feeds and carriage returns; of both together, the first. */
function* lineEnds(bytes: Uint8Array, start: number): Generator<number> {
  let feed = bytes.indexOf(LINE_FEED, start)
  let carriageReturn = bytes.indexOf(CARRIAGE_RETURN, start)
  while (feed !== -1 || carriageReturn !== -1) {
    const isReturn = feed === -1 || (carriageReturn !== -1 && carriageReturn < feed)
    const end = isReturn ? carriageReturn : feed
    yield end
    if (isReturn && feed === end + 1) feed = bytes.indexOf(LINE_FEED, feed + 1)
    if (isReturn) carriageReturn = bytes.indexOf(CARRIAGE_RETURN, end + 1)
    else feed = bytes.indexOf(LINE_FEED, end + 1)
  }
}
