import { parseJson } from "../json"

/** Maximum nesting; deeper values are omitted. */
const MAX_DEPTH = 500

/** An incomplete escape or surrogate pair at the end of a string; empty if there is none. */
const INCOMPLETE = /(\\(u[\da-f]{0,3}|ud[89ab][\da-f]{2})?|[\uD800-\uDBFF]|)$/i

/**
 * Returns the value of an unfinished JSON text so far; undefined while it has none. Text before the first `{` or `[` is
 * skipped. Numbers, `true`, `false` and `null` appear when they are complete, strings from their first character.
 *
 * @example
 * parsePartialJson('{"name":"Dick') // { name: "Dick" }
 */
export function parsePartialJson(text: string): unknown {
  return readPartialJson(text, "")
}

/** Like `parsePartialJson`, but appends `mark` to the last string if that is unfinished. */
export function readPartialJson(text: string, mark: string): unknown {
  const start = text.search(/[{[]/)
  if (start === -1) return undefined
  const scan = new JsonScan(text.slice(start))
  scan.value()
  const { unfinished, json, closing } = scan
  if (unfinished === undefined) return JSON.parse(json + closing)
  const close = `${mark}"${closing}`
  const [incomplete] = INCOMPLETE.exec(unfinished.slice(-6)) as unknown as [string]
  // What looks like an incomplete escape may follow an escaped backslash and be complete.
  return (
    parseJson(unfinished.slice(0, unfinished.length - incomplete.length) + close) ??
    parseJson(unfinished + close) ??
    JSON.parse(json + closing)
  )
}

/** Reads JSON from its `{` or `[` as far as it is valid. Each step returns whether its part is complete. */
export class JsonScan {
  /** The complete parts so far. With `closing` appended it is valid JSON. */
  json = ""
  closing = ""
  /** The text so far, if it ends inside a string. */
  unfinished: string | undefined
  /** Position of the next character. */
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

  /** Skips white space and then `char`; returns whether `char` was there. */
  #takes(char: string): boolean {
    while (this.at < this.#text.length && " \t\n\r".includes(this.#text.charAt(this.at))) this.at++
    if (this.#text[this.at] !== char) return false
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

  /** Marks everything that was read as complete. */
  #keep(): true {
    this.json = this.#text.slice(0, this.at)
    return true
  }

  #key(): boolean {
    return this.#text[this.at] === '"' && this.#token() !== undefined
  }

  /** A string, number or word. */
  #scalar(): boolean {
    const isString = this.#text[this.at] === '"'
    const value = this.#token()
    const isAtEnd = this.at === this.#text.length
    if (value === undefined && isString && isAtEnd) this.unfinished = this.#text
    // A number at the end of the text may be incomplete.
    return value !== undefined && (isString || !isAtEnd || typeof value !== "number") && this.#keep()
  }

  /** Reads a string, number or word; undefined if there is none, or if the string has no end. */
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
