/** Most characters of one line: 8 Mi, a quarter of the largest answer. */
export const MAX_LINE_LENGTH = 8 * 1024 * 1024

/**
 * Server-sent events, fed in pieces. Hands out the `data` of each event; comments, other fields and empty events are
 * dropped. (WHATWG HTML, section 9.2.6, without `id` and `retry`, which mean nothing here.)
 */
export class SseReader {
  readonly #decoder = new TextDecoder()
  readonly #onData: (data: string) => void
  /** The line that has not ended yet. */
  #line = ""
  /** The last line ended with a carriage return: a line feed now is the other half of its end. */
  #returned = false
  #data: string[] = []

  constructor(onData: (data: string) => void) {
    this.#onData = onData
  }

  /** @throws RangeError when a line is longer than {@link MAX_LINE_LENGTH} */
  push(bytes: Uint8Array): void {
    this.#take(this.#decoder.decode(bytes, { stream: true }))
  }

  /** The stream is over: an event without its empty line still counts, because some servers forget it. */
  end(): void {
    this.#take(`${this.#decoder.decode()}\n\n`)
  }

  #take(text: string): void {
    if (text === "") return
    const lines = text.slice(this.#returned && text.startsWith("\n") ? 1 : 0).split(/\r\n?|\n/)
    this.#returned = text.endsWith("\r")
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
    if (line.startsWith("data:")) this.#data.push(line.slice(line.charCodeAt(5) === 32 ? 6 : 5))
    else if (line === "" && this.#data.length > 0) {
      const data = this.#data.join("\n")
      this.#data = []
      this.#onData(data)
    }
  }
}
