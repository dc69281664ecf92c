/** Most characters of one line: 8 Mi, a quarter of the largest answer. */
export const MAX_LINE_LENGTH = 8 * 1024 * 1024

/**
 * Server-sent events, fed in pieces. Hands out the `data` of each event; comments, other fields and empty events are
 * dropped. (WHATWG HTML, section 9.2.6, without `id` and `retry`, which mean nothing here.)
 */
export class SseReader {
  readonly #decoder = new TextDecoder()
  readonly #onData: (data: string) => void
  /** The line that has not ended yet: joined once, when it does, because each joining copies it whole. */
  #pieces: string[] = []
  #length = 0
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
    this.#take(this.#decoder.decode())
    if (this.#length > 0) this.#endLine("")
    this.#dispatch()
  }

  #take(text: string): void {
    let start = 0
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index)
      const paired = code === 10 && this.#returned
      this.#returned = code === 13
      if (code !== 10 && code !== 13) continue
      if (!paired) this.#endLine(text.slice(start, index))
      start = index + 1
    }
    if (start < text.length) this.#keep(text.slice(start))
  }

  #keep(piece: string): void {
    this.#length += piece.length
    if (this.#length > MAX_LINE_LENGTH) throw new RangeError(`A line is longer than ${MAX_LINE_LENGTH} characters.`)
    this.#pieces.push(piece)
  }

  #endLine(last: string): void {
    let line = last
    if (this.#length > 0) {
      this.#keep(last)
      line = this.#pieces.join("")
      this.#pieces = []
      this.#length = 0
    }
    this.#line(line)
  }

  #line(line: string): void {
    if (line === "") this.#dispatch()
    else if (line.startsWith("data:")) this.#data.push(line.slice(line.charCodeAt(5) === 32 ? 6 : 5))
  }

  #dispatch(): void {
    if (this.#data.length === 0) return
    const data = this.#data.length === 1 ? this.#data[0]! : this.#data.join("\n")
    this.#data = []
    this.#onData(data)
  }
}
