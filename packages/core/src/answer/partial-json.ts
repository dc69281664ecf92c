/** Objects inside objects that are followed; what is deeper is left out. */
const MAX_DEPTH = 500

/** Half of an escape or of a character at the end of a text; empty when there is none. */
const HALF = /(\\(u[\da-f]{0,3}|ud[89ab][\da-f]{2})?|[\uD800-\uDBFF]|)$/i

/**
 * The value that an unfinished JSON text has so far, and undefined while it has none. Text before the first `{` or `[`
 * is passed over. A number, `true`, `false` or `null` counts when it is whole; a text from its first character.
 */
export function parsePartialJson(text: string): unknown {
  return readPartialJson(text, "")
}

/** The same, with a mark behind the last text when it is unfinished. */
export function readPartialJson(text: string, mark: string): unknown {
  const start = text.search(/[{[]/)
  if (start === -1) return undefined
  const scan = new JsonScan(text.slice(start))
  scan.value()
  const { begun, json, closing } = scan
  if (begun === undefined) return JSON.parse(json + closing)
  const close = `${mark}"${closing}`
  const [half] = HALF.exec(begun.slice(-6)) as unknown as [string]
  // What looks like half an escape may be a whole one: a slash that is escaped, and what follows it.
  return (
    parseJson(begun.slice(0, begun.length - half.length) + close) ??
    parseJson(begun + close) ??
    JSON.parse(json + closing)
  )
}

/** Follows a text from its `{` or `[` on, as far as it is JSON. Each step tells whether it came to the end of its part. */
export class JsonScan {
  /** What was there of the value: JSON, once the signs that close what is open are behind it. */
  json = ""
  closing = ""
  /** The same with a text behind it whose end has not come. */
  begun: string | undefined
  /** Where the next sign is read. */
  at = 0
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  value(): boolean {
    if (this.closing.length > MAX_DEPTH) return false
    if (this.#takes("{")) return this.#items("}", () => this.#key() && this.#takes(":") && this.value())
    return this.#takes("[") ? this.#items("]", () => this.value()) : this.#scalar()
  }

  /** Whether the next sign is `sign`, which is then passed. */
  #takes(sign: string): boolean {
    while (this.at < this.#text.length && " \t\n\r".includes(this.#text.charAt(this.at))) this.at++
    if (this.#text[this.at] !== sign) return false
    this.at++
    return true
  }

  #items(close: string, item: () => boolean): boolean {
    this.closing = close + this.closing
    this.#keep()
    if (!this.#takes(close)) {
      do if (!item()) return false
      while (this.#takes(","))
      if (!this.#takes(close)) return false
    }
    this.closing = this.closing.slice(1)
    return this.#keep()
  }

  /** Keeps what was passed. */
  #keep(): true {
    this.json = this.#text.slice(0, this.at)
    return true
  }

  #key(): boolean {
    return this.#text[this.at] === '"' && this.#token() !== undefined
  }

  /** A text, number or word. */
  #scalar(): boolean {
    const isText = this.#text[this.at] === '"'
    const value = this.#token()
    const isAtEnd = this.at === this.#text.length
    if (value === undefined && isText && isAtEnd) this.begun = this.#text
    // A number at the end of the text may go on.
    return value !== undefined && (isText || !isAtEnd || typeof value !== "number") && this.#keep()
  }

  /** Passes a text, number or word; undefined when it is none, or a text without an end. */
  #token(): unknown {
    const from = this.at
    if (this.#text[from] !== '"') {
      const word = /[^\s,:[\]{}"]*/y
      word.lastIndex = from
      this.at += word.exec(this.#text)![0].length
      return parseJson(this.#text.slice(from, this.at))
    }
    let quote = from
    do quote = this.#text.indexOf('"', quote + 1)
    while (quote !== -1 && this.#isEscaped(quote))
    this.at = quote === -1 ? this.#text.length : quote + 1
    return quote === -1 ? undefined : parseJson(this.#text.slice(from, this.at))
  }

  #isEscaped(at: number): boolean {
    let slashes = 0
    while (this.#text[at - 1 - slashes] === "\\") slashes++
    return slashes % 2 === 1
  }
}

/** The value of a JSON text; undefined where it is none: what `JSON.parse` says of that quotes the text. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
