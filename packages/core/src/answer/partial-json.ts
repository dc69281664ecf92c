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
  const value = new PartialReader(text, unfinished).root()
  return value === NOTHING ? undefined : value
}

class PartialReader {
  #at = 0

  constructor(
    private readonly text: string,
    private readonly unfinished: (text: string) => unknown,
  ) {}

  root(): unknown {
    const start = this.text.search(/[{[]/)
    if (start === -1) return NOTHING
    this.#at = start
    return this.#value(0)
  }

  #value(depth: number): unknown {
    this.#space()
    const first = this.text[this.#at]
    if (depth > MAX_DEPTH) return this.#end()
    if (first === "{") return this.#object(depth)
    if (first === "[") return this.#array(depth)
    return first === '"' ? this.#string() : this.#word()
  }

  /** Gives up: nothing after this is read. */
  #end(): typeof NOTHING {
    this.#at = this.text.length
    return NOTHING
  }

  #space(): void {
    while (this.text.charCodeAt(this.#at) <= 32) this.#at++
  }

  /** Whether the next sign is `sign`, which is then passed. */
  #takes(sign: string): boolean {
    this.#space()
    if (this.text[this.#at] !== sign) return false
    this.#at++
    return true
  }

  #object(depth: number): unknown {
    const entries: [string, unknown][] = []
    this.#at++
    while (!this.#takes("}") && this.#at < this.text.length) {
      const key = this.text[this.#at] === '"' ? this.#string(true) : this.#end()
      if (typeof key !== "string" || !this.#takes(":")) break
      const value = this.#value(depth + 1)
      if (value !== NOTHING) entries.push([key, value])
      if (!this.#takes(",") && this.text[this.#at] !== "}") this.#end()
    }
    return Object.fromEntries(entries)
  }

  #array(depth: number): unknown {
    const items: unknown[] = []
    this.#at++
    while (!this.#takes("]") && this.#at < this.text.length) {
      const value = this.#value(depth + 1)
      if (value !== NOTHING) items.push(value)
      if (!this.#takes(",") && this.text[this.#at] !== "]") this.#end()
    }
    return items
  }

  #string(key = false): unknown {
    const start = this.#at + 1
    let end = start
    for (;;) {
      end = this.text.indexOf('"', end)
      if (end === -1) return this.#open(this.text.slice(start), key)
      let slashes = 0
      while (this.text[end - 1 - slashes] === "\\") slashes++
      if (slashes % 2 === 0) break
      end++
    }
    this.#at = end + 1
    return decode(this.text.slice(start, end)) ?? this.#end()
  }

  /** The beginning of a text, without the half of an escape or of a character at its end. */
  #open(raw: string, key: boolean): unknown {
    this.#end()
    const half = /(?:^|[^\\])(?:\\\\)*(\\(?:u[0-9a-fA-F]{0,3})?)$/.exec(raw)?.[1] ?? ""
    const text = decode(raw.slice(0, raw.length - half.length))?.replace(/[\uD800-\uDBFF]$/, "")
    return text === undefined || key ? NOTHING : this.unfinished(text)
  }

  #word(): unknown {
    const word = /[^\s,:[\]{}"]*/y
    word.lastIndex = this.#at
    const [found = ""] = word.exec(this.text) ?? []
    this.#at += found.length
    const cut = this.#at === this.text.length && !/^(true|false|null)$/.test(found)
    if (found === "" || cut) return this.#end()
    try {
      return JSON.parse(found)
    } catch {
      return this.#end()
    }
  }
}

function decode(raw: string): string | undefined {
  if (!raw.includes("\\")) return raw
  try {
    return JSON.parse(`"${raw}"`)
  } catch {
    return undefined
  }
}
