/**
 * Server-sent events, fed in pieces. Hands out the `data` of each event; comments, other fields and empty events are
 * dropped. (WHATWG HTML, section 9.2.6, without `id` and `retry`, which mean nothing here.)
 */
export class SseReader {
  readonly #decoder = new TextDecoder()
  readonly #onData: (data: string) => void
  #rest = ""
  #data: string[] = []

  constructor(onData: (data: string) => void) {
    this.#onData = onData
  }

  push(bytes: Uint8Array): void {
    this.#take(this.#decoder.decode(bytes, { stream: true }))
  }

  /** The stream is over: an event without its empty line still counts, because some servers forget it. */
  end(): void {
    this.#take(this.#decoder.decode())
    // A carriage return that waited for its line feed, and a line that never ended.
    const last = this.#rest.replace(/\r$/, "")
    if (this.#rest !== "") this.#line(last)
    this.#rest = ""
    this.#dispatch()
  }

  #take(text: string): void {
    let start = 0
    const all = this.#rest + text
    const seen = this.#rest.endsWith("\r") ? this.#rest.length - 1 : this.#rest.length
    for (let index = seen; index < all.length; index++) {
      const code = all.charCodeAt(index)
      if (code !== 10 && code !== 13) continue
      // A carriage return at the very end may be half of a pair: wait for the next piece.
      if (code === 13 && index === all.length - 1) break
      this.#line(all.slice(start, index))
      if (code === 13 && all.charCodeAt(index + 1) === 10) index++
      start = index + 1
    }
    this.#rest = all.slice(start)
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
