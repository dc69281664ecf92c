import { InvalidArgumentError } from "../errors"

/** Maximum nesting. */
const MAX_DEPTH = 100

/** Maximum characters of one message. Without it, data with shared parts could grow exponentially. */
export const MAX_CHARACTERS = 10_000_000

/** Words that YAML does not read as strings, in upper or lower case. */
const RESERVED = /^(true|false|null|yes|no|on|off|y|n)$/i

/**
 * Writes plain data as readable YAML 1.2. Reads values as `JSON.stringify` does (calls `toJSON`, omits undefined fields). Maps
 * become objects, sets become arrays, and bigints become digits.
 *
 * @throws InvalidArgumentError for a promise, for cycles, more than 100 levels, or more than 10,000,000 characters
 *
 * @example
 * toYaml({ name: "Dickens", books: ["Hard Times"] }) // "name: Dickens\nbooks:\n  - Hard Times"
 */
export function toYaml(data: unknown): string {
  return new YamlWriter().write(plain(data), "", 0)
}

/** The value to write: a scalar, array or object. As in JSON, `toJSON` is called once. */
function plain(data: unknown): unknown {
  const source = data as { toJSON?: (key: string) => unknown } | null | undefined
  const value: unknown = typeof source?.toJSON === "function" ? source.toJSON("") : source
  if (typeof value === "number") return Number.isFinite(value) ? value : null
  if (isOmitted(value)) return null
  if (value instanceof Promise) throw new InvalidArgumentError("data", "plain data", value)
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [String(key), item]))
  return value instanceof Set ? [...value] : value
}

/** Whether JSON omits the value from an object, and writes null for it in an array. */
export function isOmitted(value: unknown): boolean {
  return value === undefined || typeof value === "function" || typeof value === "symbol"
}

class YamlWriter {
  #remaining = MAX_CHARACTERS

  /** Writes a value at an indent: on one line if it is a scalar or empty, otherwise on several. */
  write(value: unknown, indent: string, depth: number): string {
    if (typeof value !== "object" || value === null) return this.#count(scalar(value, indent), value)
    if (depth > MAX_DEPTH) throw tooLarge(value)
    const lines = Array.isArray(value)
      ? value.map((item) => `- ${this.write(plain(item), `${indent}  `, depth + 1)}`)
      : Object.entries(value)
          .filter(([, item]) => !isOmitted(item))
          .map(([key, item]) => this.#field(key, plain(item), indent, depth))
    if (lines.length === 0) return Array.isArray(value) ? "[]" : "{}"
    this.#remaining -= (lines.length - 1) * indent.length
    return lines.join(`\n${indent}`)
  }

  #field(key: string, item: unknown, indent: string, depth: number): string {
    const name = this.#count(isPlainKey(key) ? key : quote(key), item)
    const inner = `${indent}  `
    const text = this.write(item, inner, depth + 1)
    // YAML requires a question mark before a key of more than 1,024 characters.
    if (name.length > 1_000) return `? ${name}\n${indent}: ${text}`
    // `{}` and `[]` follow their key on the same line, as scalars do.
    const isNested = typeof item === "object" && item !== null && text.length > 2
    return isNested ? `${name}:\n${inner}${text}` : `${name}: ${text}`
  }

  #count(text: string, value: unknown): string {
    this.#remaining -= text.length
    if (this.#remaining < 0) throw tooLarge(value)
    return text
  }
}

function tooLarge(value: unknown): InvalidArgumentError {
  const expected = `data of at most ${MAX_DEPTH} levels and ${MAX_CHARACTERS} characters, without cycles`
  return new InvalidArgumentError("data", expected, value)
}

function scalar(value: unknown, indent: string): string {
  if (typeof value === "string") return stringScalar(value, indent)
  return Object.is(value, -0) ? "0" : String(value)
}

function isPlainKey(key: string): boolean {
  return /^[A-Za-z_][\w-]*$/.test(key) && !RESERVED.test(key)
}

/** Writes a string plainly if no YAML reader can misread it, several lines as a literal block, otherwise in quotes. */
function stringScalar(text: string, indent: string): string {
  if (isPlainText(text)) return text
  if (!isBlockText(text)) return quote(text)
  const ends = text.endsWith("\n")
  const inner = indent === "" ? "  " : indent
  const lines = (ends ? text.slice(0, -1) : text).split("\n").map((line) => (line === "" ? "" : inner + line))
  return `|${ends ? "" : "-"}\n${lines.join("\n")}`
}

function isPlainText(text: string): boolean {
  return /^[\p{L}_][\p{L}\p{M}\p{N} _.,;()/'’!?%+=*@$€"&-]*$/u.test(text) && !text.endsWith(" ") && !RESERVED.test(text)
}

/** Whether a string has several lines, no white space around them, and no character that YAML rejects. */
function isBlockText(text: string): boolean {
  return (
    /\n/.test(text) &&
    !/^\s|[ \t]$|\n\n$|[ \t]\n|[^\n\t\x20-\x7E\u00A0-\u2027\u202A-\uD7FF\uE000-\uFEFE\uFF00-\uFFFD]/.test(text)
  )
}

/** JSON strings are YAML strings, if all characters that YAML may read as line breaks are escaped. */
function quote(text: string): string {
  const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
  return JSON.stringify(text).replace(/[\x7F-\x9F\u2028\u2029\uFEFF\uFFFE\uFFFF]/g, escaped)
}
