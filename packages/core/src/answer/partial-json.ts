/** A text whose closing quote has not come yet. */
export class Unfinished {
  constructor(readonly text: string) {}
}

/** No value yet. */
const NOTHING: unique symbol = Symbol("nothing")

/** Objects inside objects that are followed; what is deeper is left out. */
const MAX_DEPTH = 500

/**
 * The value that an unfinished JSON text has so far, and undefined while it has none. Text before the first `{` or `[`
 * is passed over. A number, `true`, `false` or `null` counts when it is whole; a text from its first character.
 */
export function parsePartialJson(text: string): unknown {
  return readPartialJson(text, (unfinished) => unfinished)
}

/** The same, with the last text wrapped when it is unfinished. */
export function readPartialJson(text: string, unfinished: (text: string) => unknown): unknown {
  const start = text.search(/[{[]/)
  return start === -1 ? undefined : new JsonReader(text, start, unfinished).value()
}

/** Reads JSON from a `{` or `[` on, and keeps what it has read when the text ends or goes wrong. */
export class JsonReader {
  /** Whether the value was there to its end. */
  whole = true
  /** Where the next sign is read. */
  at: number
  readonly #text: string
  readonly #unfinished: (text: string) => unknown

  constructor(text: string, start: number, unfinished: (text: string) => unknown) {
    this.at = start
    this.#text = text
    this.#unfinished = unfinished
  }

  value(depth = 0): unknown {
    this.#space()
    const first = this.#text[this.at]
    if (depth > MAX_DEPTH) return this.#end()
    if (first === "{") return this.#object(depth)
    if (first === "[") return this.#array(depth)
    return first === '"' ? this.#string() : this.#word()
  }

  /** Gives up: nothing after this is read. */
  #end(): typeof NOTHING {
    this.whole = false
    return NOTHING
  }

  #space(): void {
    while (this.#text.charCodeAt(this.at) <= 32) this.at++
  }

  /** Whether the next sign is `sign`, which is then passed. */
  #takes(sign: string): boolean {
    this.#space()
    if (this.#text[this.at] !== sign) return false
    this.at++
    return true
  }

  #object(depth: number): unknown {
    const entries: [string, unknown][] = []
    this.#items("}", () => {
      const key = this.#text[this.at] === '"' ? this.#string(true) : NOTHING
      const value = typeof key === "string" && this.#takes(":") ? this.value(depth + 1) : this.#end()
      if (value !== NOTHING) entries.push([key as string, value])
    })
    return Object.fromEntries(entries)
  }

  #array(depth: number): unknown {
    const items: unknown[] = []
    this.#items("]", () => {
      const value = this.value(depth + 1)
      if (value !== NOTHING) items.push(value)
    })
    return items
  }

  #items(close: string, readItem: () => void): void {
    this.at++
    while (this.whole && !this.#takes(close)) {
      readItem()
      if (!this.#takes(",") && this.#text[this.at] !== close) this.#end()
    }
  }

  #string(key = false): unknown {
    const start = this.at + 1
    let end = this.#text.indexOf('"', start)
    while (end !== -1 && this.#isEscaped(end)) end = this.#text.indexOf('"', end + 1)
    if (end === -1) return this.#open(this.#text.slice(start), key)
    this.at = end + 1
    return decode(this.#text.slice(start, end)) ?? this.#end()
  }

  #isEscaped(at: number): boolean {
    let slashes = 0
    while (this.#text[at - 1 - slashes] === "\\") slashes++
    return slashes % 2 === 1
  }

  /** The beginning of a text, without the half of an escape or of a character at its end. */
  #open(raw: string, key: boolean): unknown {
    this.at = this.#text.length
    this.#end()
    const text = decode(raw) ?? decode(raw.replace(/\\(u[0-9a-fA-F]{0,3})?$/, ""))
    return text === undefined || key ? NOTHING : this.#unfinished(text.replace(/[\uD800-\uDBFF]$/, ""))
  }

  #word(): unknown {
    const word = /[^\s,:[\]{}"]*/y
    word.lastIndex = this.at
    const [found = ""] = word.exec(this.#text) ?? []
    this.at += found.length
    const value = parseJson(found)
    // A number at the end of the text may go on.
    const isWhole = typeof value !== "number" || this.at < this.#text.length
    return value !== undefined && isWhole ? value : this.#end()
  }
}

function decode(raw: string): string | undefined {
  return raw.includes("\\") ? (parseJson(`"${raw}"`) as string | undefined) : raw
}

/** The value of a JSON text; undefined where it is none: what `JSON.parse` says of that quotes the text. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
