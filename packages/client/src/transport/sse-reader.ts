/** The longest line, in characters: 8 Mi, a quarter of the largest response. */
export const MAX_LINE_LENGTH = 8 * 1024 * 1024

/**
 * Parses server-sent events from pieces of bytes. Calls back with the `data` of each event and drops comments, other
 * fields and empty events (WHATWG HTML, section 9.2.6; `id` and `retry` have no meaning here).
 */
export class SseReader {
  readonly #decoder = new TextDecoder()
  readonly #onData: (data: string) => void
  /** The line that has not ended yet. */
  #line = ""
  /** The last piece ended with a carriage return: a line feed now belongs to the same line end. */
  #endedWithReturn = false
  #data: string[] = []

  constructor(onData: (data: string) => void) {
    this.#onData = onData
  }

  /** @throws RangeError when a line is longer than {@link MAX_LINE_LENGTH}. */
  push(bytes: Uint8Array): void {
    this.#add(this.#decoder.decode(bytes, { stream: true }))
  }

  /** Ends the stream. An event without its final empty line still counts, because some servers omit it. */
  end(): void {
    this.#add(`${this.#decoder.decode()}\n\n`)
  }

  #add(text: string): void {
    if (text === "") return
    const lines = text.slice(this.#endedWithReturn && text.startsWith("\n") ? 1 : 0).split(/\r\n?|\n/)
    this.#endedWithReturn = text.endsWith("\r")
    const rest = lines.pop()!
    for (const line of lines) {
      this.#endLine(this.#line + line)
      this.#line = ""
    }
    this.#line += rest
    if (this.#line.length > MAX_LINE_LENGTH)
      throw new RangeError(`A line is longer than ${MAX_LINE_LENGTH} characters.`)
  }

  #endLine(line: string): void {
    if (line.startsWith("data:")) this.#data.push(line.slice(line.startsWith(" ", 5) ? 6 : 5))
    else if (line === "" && this.#data.length > 0) {
      const data = this.#data.join("\n")
      this.#data = []
      this.#onData(data)
    }
  }
}
