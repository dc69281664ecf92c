import { type AnswerNode, type JsonSchema, type Leaf, MISFIT, unionOf } from "./answer-node"
import { checksOf, type ZodDef, type ZodSchema } from "./zod-schema"

const INTEGER = "^-?[0-9]+$"
const NUMBER = "^-?[0-9]+(\\.[0-9]+)?$"

/** Formats that strict mode knows, by Zod's name. */
const FORMATS: Record<string, string> = {
  datetime: "date-time",
  date: "date",
  duration: "duration",
  email: "email",
  hostname: "hostname",
  ipv4: "ipv4",
  ipv6: "ipv6",
  uuid: "uuid",
  guid: "uuid",
}

/** A text: its format or pattern where strict mode takes it, else in words. */
export function readString(schema: ZodSchema): AnswerNode {
  const json: JsonSchema = { type: "string" }
  const hints = lengthHints(schema, "character")
  for (const check of checksOf(schema)) {
    if (check.check !== "string_format") continue
    const { format = "", pattern } = check
    const known = FORMATS[format]
    if (known !== undefined && json.format === undefined && !check.local) {
      json.format = known
      if (format === "datetime" && !check.offset) hints.push("In UTC, ending in Z.")
    } else if (pattern !== undefined && json.pattern === undefined && isPortable(pattern)) json.pattern = pattern.source
    else hints.push(format === "regex" ? `Matches ${pattern}.` : `Format: ${format}.`)
  }
  return { kind: "leaf", json, note: sentence(hints), prefixes: true }
}

/** Whether a pattern means the same without its flags, and needs nothing that a provider's engine may not have. */
function isPortable({ source, flags }: RegExp): boolean {
  return source.length <= 500 && /^[udgy]*$/.test(flags) && !/\(\?[=!<]|\\[1-9kpP]/.test(source)
}

/** A number with its bounds; `integer` where a format says so. */
export function readNumber(schema: ZodSchema): AnswerNode {
  const json: JsonSchema = { type: "number" }
  const hints: string[] = []
  for (const check of checksOf(schema)) {
    const { value } = check
    if (check.check === "number_format" && /int/.test(check.format ?? "")) {
      json.type = "integer"
      if (check.format === "int32") Object.assign(json, { minimum: -(2 ** 31), maximum: 2 ** 31 - 1 })
      if (check.format === "uint32") Object.assign(json, { minimum: 0, maximum: 2 ** 32 - 1 })
    } else if (!Number.isFinite(value)) continue
    else if (check.check === "greater_than") json[check.inclusive ? "minimum" : "exclusiveMinimum"] = value
    else if (check.check === "less_than") json[check.inclusive ? "maximum" : "exclusiveMaximum"] = value
    else if (check.check === "multiple_of" && value !== 0) {
      if (json.multipleOf === undefined) json.multipleOf = Math.abs(value as number)
      else hints.push(`A multiple of ${value}.`)
    }
  }
  return { kind: "leaf", json, note: sentence(hints) }
}

/** A bigint travels as its digits. */
export function readBigint(schema: ZodSchema): AnswerNode {
  const note = sentence(["An integer in decimal digits.", ...boundHints(schema, String)])
  return { kind: "leaf", json: { type: "string", pattern: INTEGER }, read: toBigint, note }
}

function toBigint(value: unknown): unknown {
  if (Number.isSafeInteger(value)) return BigInt(value as number)
  return typeof value === "string" && /^-?\d{1,10000}$/.test(value) ? BigInt(value) : MISFIT
}

/** A date travels as ISO 8601. */
export function readDate(schema: ZodSchema): AnswerNode {
  const note = sentence(boundHints(schema, (value) => new Date(value as Date).toISOString()))
  return { kind: "leaf", json: { type: "string", format: "date-time" }, read: toDate, note }
}

function toDate(value: unknown): unknown {
  const date = typeof value === "string" && /^\d{4}-\d\d-\d\d/.test(value) ? new Date(value) : undefined
  return date === undefined || Number.isNaN(date.getTime()) ? MISFIT : date
}

/** Values of an enum or a literal, grouped by type, since strict mode wants one type beside each `enum`. */
export function readValues(values: readonly unknown[]): AnswerNode | undefined {
  const groups = new Map<string, unknown[]>()
  for (const value of values) {
    const type = value === null ? "null" : typeof value
    groups.set(type, [...(groups.get(type) ?? []), value])
  }
  const nodes: AnswerNode[] = []
  for (const [type, group] of groups) {
    if (type === "null") nodes.push(NULL)
    else if (type === "undefined") nodes.push(UNDEFINED)
    else if (type === "bigint") nodes.push(readBigintValues(group as bigint[]))
    else if (/^(string|number|boolean)$/.test(type)) nodes.push({ kind: "leaf", json: { type, enum: group } })
    else return undefined
  }
  return nodes.length === 0 ? undefined : unionOf(nodes)
}

function readBigintValues(values: bigint[]): AnswerNode {
  const digits = values.map(String)
  const read = (value: unknown) => (digits.includes(String(value)) ? BigInt(value as string) : MISFIT)
  return { kind: "leaf", json: { type: "string", enum: digits }, read }
}

export const NULL: Leaf = { kind: "leaf", json: { type: "null" } }
export const UNDEFINED: Leaf = { kind: "leaf", json: { type: "null" }, read: () => undefined }
export const NAN: Leaf = { kind: "leaf", json: { type: "string", enum: ["NaN"] }, read: () => Number.NaN }

/** What may be the key of a record: numbers as their digits, because the keys of JSON objects are texts. */
export function readKey(key: AnswerNode): AnswerNode {
  const type = key.kind === "leaf" ? key.json.type : undefined
  if (key.kind !== "leaf" || (type !== "number" && type !== "integer")) return key
  const values = key.json.enum as unknown[] | undefined
  const json = values === undefined ? { pattern: type === "integer" ? INTEGER : NUMBER } : { enum: values.map(String) }
  return { kind: "leaf", json: { type: "string", ...json }, note: key.note }
}

/** `minItems` and `maxItems` from the checks of an array, set or map. */
export function itemBounds(schema: ZodSchema): JsonSchema {
  const { least, most } = lengths(schema)
  return { ...(least === undefined ? {} : { minItems: least }), ...(most === undefined ? {} : { maxItems: most }) }
}

function lengthHints(schema: ZodSchema, unit: string): string[] {
  const { least, most } = lengths(schema)
  const hints: string[] = []
  if (least !== undefined) hints.push(`At least ${least} ${unit}${least === 1 ? "" : "s"}.`)
  if (most !== undefined) hints.push(`At most ${most} ${unit}${most === 1 ? "" : "s"}.`)
  return hints
}

function lengths(schema: ZodSchema): { least?: number | undefined; most?: number | undefined } {
  let least: number | undefined
  let most: number | undefined
  for (const { check = "", minimum, maximum, length, size } of checksOf(schema)) {
    if (/^(min|max|length|size)_/.test(check)) {
      least = minimum ?? length ?? size ?? least
      most = maximum ?? length ?? size ?? most
    }
  }
  return { least, most }
}

function boundHints(schema: ZodSchema, show: (value: unknown) => string): string[] {
  const word = ({ check, inclusive }: ZodDef) =>
    check === "greater_than" ? (inclusive ? "At least" : "More than") : inclusive ? "At most" : "Less than"
  return checksOf(schema)
    .filter(({ check }) => check === "greater_than" || check === "less_than")
    .map((check) => `${word(check)} ${show(check.value)}.`)
}

/** Several remarks as one description. */
export function sentence(parts: readonly (string | undefined)[]): string | undefined {
  return parts.filter(Boolean).join(" ") || undefined
}
