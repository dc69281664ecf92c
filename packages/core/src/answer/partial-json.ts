/** Objects inside objects that are followed; what is deeper is left out. */
const MAX_DEPTH = 500

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
  const scan = new JsonScan(text.slice(start), mark)
  scan.value()
  return JSON.parse(scan.json + scan.closing)
}

/** Follows a text from its `{` or `[` on, as far as it is JSON. Each step tells whether it came to the end of its part. */
export class JsonScan {
  /** What was there of the value: JSON, once the signs that close what is open are behind it. */
  json = ""
  closing = ""
  /** Where the next sign is read. */
  at = 0
  readonly #text: string
  readonly #mark: string

  constructor(text: string, mark = "") {
    this.#text = text
    this.#mark = mark
  }

  value(): boolean {
    if (this.closing.length > MAX_DEPTH) return false
    if (this.#takes("{")) return this.#items("}", () => this.#key() && this.#takes(":") && this.value())
    return this.#takes("[") ? this.#items("]", () => this.value()) : this.#scalar()
  }

  /** Whether the next sign is `sign`, which is then passed. */
  #takes(sign: string): boolean {
    while (/[ \t\n\r]/.test(this.#text.charAt(this.at))) this.at++
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
    if (this.#text[this.at] !== '"') return false
    const token = this.#token()
    return !this.#isAtEnd() && parseJson(token) !== undefined
  }

  /** A text, number or word. */
  #scalar(): boolean {
    const token = this.#token()
    const begun = this.#isAtEnd() && token.startsWith('"') ? beginningOf(token) : undefined
    if (begun !== undefined) {
      this.json = this.#text.slice(0, this.at - token.length) + JSON.stringify(begun + this.#mark)
      return false
    }
    const value = parseJson(token)
    // A number at the end of the text may go on.
    return value !== undefined && !(this.#isAtEnd() && typeof value === "number") && this.#keep()
  }

  #isAtEnd(): boolean {
    return this.at === this.#text.length
  }

  /** Passes a text to its closing quote, or to the end when there is none; else a number or word. */
  #token(): string {
    const from = this.at
    const word = /[^\s,:[\]{}"]*/y
    word.lastIndex = from
    this.at += word.exec(this.#text)![0].length
    if (this.#text[from] === '"') {
      do this.at = this.#text.indexOf('"', this.at + 1)
      while (this.at !== -1 && this.#isEscaped(this.at))
      this.at = this.at === -1 ? this.#text.length : this.at + 1
    }
    return this.#text.slice(from, this.at)
  }

  #isEscaped(at: number): boolean {
    let slashes = 0
    while (this.#text[at - 1 - slashes] === "\\") slashes++
    return slashes % 2 === 1
  }
}

/** A text without its closing quote, and without the half of an escape or of a character at its end. */
function beginningOf(token: string): string | undefined {
  const text = parseJson(`${token}"`) ?? parseJson(`${token.replace(/\\(u[0-9a-fA-F]{0,3})?$/, "")}"`)
  return (text as string | undefined)?.replace(/[\uD800-\uDBFF]$/, "")
}

/** The value of a JSON text; undefined where it is none: what `JSON.parse` says of that quotes the text. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
