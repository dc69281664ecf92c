import { InvalidArgumentError } from "../errors"

/** Lists inside lists that are followed; more is a mistake. */
const MAX_DEPTH = 100

/** The most that one message may have as text: data that share their parts could be written without end. */
export const MAX_CHARACTERS = 10_000_000

/** Words that YAML would read as something else than text, in any case. */
const RESERVED = /^(true|false|null|yes|no|on|off|y|n)$/i

/**
 * Plain data as readable YAML 1.2: `JSON.stringify`'s view of the data (`toJSON` is used, undefined fields are left
 * out), and beside it maps as objects, sets as lists, and bigints as digits.
 *
 * @throws InvalidArgumentError for cycles, for more than 100 levels, and for more than 10,000,000 characters.
 */
export function toYaml(data: unknown): string {
  return new YamlWriter().write(plain(data), "", 0)
}

/** The value to print: scalars, arrays and objects only. As in JSON, what `toJSON` returns is not asked again. */
function plain(given: unknown): unknown {
  const source = given as { toJSON?: (key: string) => unknown } | null | undefined
  const value: unknown = typeof source?.toJSON === "function" ? source.toJSON("") : source
  if (typeof value === "number") return Number.isFinite(value) ? value : null
  if (isNothing(value)) return null
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [String(key), item]))
  return value instanceof Set ? [...value] : value
}

/** What JSON leaves out of an object, and takes for null in a list. */
export function isNothing(value: unknown): boolean {
  return value === undefined || typeof value === "function" || typeof value === "symbol"
}

class YamlWriter {
  #left = MAX_CHARACTERS

  /** `value` at an indent: on the line where it begins when it is a scalar or empty, else on lines of its own. */
  write(value: unknown, indent: string, depth: number): string {
    if (typeof value !== "object" || value === null) return this.#count(scalar(value, indent), value)
    if (depth > MAX_DEPTH) throw tooLarge(value)
    const lines = Array.isArray(value)
      ? value.map((item) => `- ${this.write(plain(item), `${indent}  `, depth + 1)}`)
      : Object.entries(value)
          .filter(([, item]) => !isNothing(item))
          .map(([key, item]) => this.#field(key, plain(item), indent, depth))
    if (lines.length === 0) return Array.isArray(value) ? "[]" : "{}"
    this.#left -= (lines.length - 1) * indent.length
    return lines.join(`\n${indent}`)
  }

  #field(key: string, item: unknown, indent: string, depth: number): string {
    const name = this.#count(isPlainKey(key) ? key : quote(key), item)
    const inner = `${indent}  `
    const text = this.write(item, inner, depth + 1)
    // A key of more than 1,024 characters must be announced by a question mark.
    if (name.length > 1_000) return `? ${name}\n${indent}: ${text}`
    // `{}` and `[]` stand beside their key, as scalars do.
    const isNested = typeof item === "object" && item !== null && text.length > 2
    return isNested ? `${name}:\n${inner}${text}` : `${name}: ${text}`
  }

  #count(text: string, value: unknown): string {
    this.#left -= text.length
    if (this.#left < 0) throw tooLarge(value)
    return text
  }
}

function tooLarge(value: unknown): InvalidArgumentError {
  const most = `data of at most ${MAX_DEPTH} levels and ${MAX_CHARACTERS} characters, without cycles`
  return new InvalidArgumentError("data", most, value)
}

function scalar(value: unknown, indent: string): string {
  if (typeof value === "string") return textOf(value, indent)
  return Object.is(value, -0) ? "0" : String(value)
}

function isPlainKey(key: string): boolean {
  return /^[A-Za-z_][\w-]*$/.test(key) && !RESERVED.test(key)
}

/** Plain where no reader can take it for something else, several lines as a literal block, else in quotes. */
function textOf(text: string, indent: string): string {
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

/** Several lines, none of which begins or ends with white space, and no sign that YAML reads as a break or refuses. */
function isBlockText(text: string): boolean {
  return (
    /\n/.test(text) &&
    !/^\s|[ \t]$|\n\n$|[ \t]\n|[^\n\t\x20-\x7E\u00A0-\u2027\u202A-\uD7FF\uE000-\uFEFE\uFF00-\uFFFD]/.test(text)
  )
}

/** JSON's quotes are YAML's too, when everything that some reader takes for a break is escaped. */
function quote(text: string): string {
  const escaped = (sign: string) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`
  return JSON.stringify(text).replace(/[\x7F-\x9F\u2028\u2029\uFEFF\uFFFE\uFFFF]/g, escaped)
}
