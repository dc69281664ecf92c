import { type AnswerNode, type JsonSchema, type Leaf, MISFIT, unionOf } from "./answer-node"
import { checksOf, type ZodSchema } from "./zod-schema"

const INTEGER = "^-?[0-9]+$"
const NUMBER = "^-?[0-9]+(\\.[0-9]+)?$"

export const NULL: Leaf = { kind: "leaf", json: { type: "null" } }
const UNDEFINED: Leaf = { kind: "leaf", json: { type: "null" }, read: () => undefined }
const NAN: Leaf = { kind: "leaf", json: { type: "string", enum: ["NaN"] }, read: () => Number.NaN }

/** Returns the node of a schema for values without parts; undefined for other schemas. */
export function readLeaf(schema: ZodSchema): AnswerNode | undefined {
  const { type } = schema._zod.def
  switch (type) {
    case "string":
      return leafOf(schema, { type }, { prefixes: true })
    case "number":
    case "int":
      return leafOf(schema, { type: "number" })
    case "boolean":
      return leafOf(schema, { type })
    case "bigint":
      return leafOf(schema, { type: "string", pattern: INTEGER }, { read: toBigint }, "An integer in decimal digits.")
    case "date":
      return leafOf(schema, { type: "string", format: "date-time" }, { read: toDate })
    case "template_literal":
      return leafOf(schema, { type: "string", pattern: schema._zod.pattern?.source })
    case "void":
      return UNDEFINED
    case "nan":
      return NAN
  }
  return undefined
}

/** A leaf with the constraints of the schema's checks. */
function leafOf(schema: ZodSchema, json: JsonSchema, more: Partial<Leaf> = {}, note?: string): AnswerNode {
  return { kind: "leaf", json, note: sentence([note, readChecks(schema, json)]), ...more }
}

function toBigint(value: unknown): unknown {
  if (Number.isSafeInteger(value)) return BigInt(value as number)
  return typeof value === "string" && /^-?\d{1,10000}$/.test(value) ? BigInt(value) : MISFIT
}

function toDate(value: unknown): unknown {
  const date = typeof value === "string" && /^\d{4}-\d\d-\d\d/.test(value) ? new Date(value) : undefined
  // `toJSON` returns null for an invalid date.
  return date?.toJSON() ? date : MISFIT
}

/** Adds the constraints of a schema's checks to `json` where strict mode has a keyword; returns the others as sentences. */
export function readChecks(schema: ZodSchema, json: JsonSchema): string | undefined {
  const words: string[] = []
  const bound = (keyword: string, phrase: string, limit: unknown, unit = "") => {
    if (limit === undefined) return
    if (json.type === "string") words.push(`${phrase} ${limit instanceof Date ? limit.toISOString() : limit}${unit}.`)
    else if (Number.isFinite(limit)) json[keyword] = limit
  }
  const length = (keyword: string, phrase: string, limit: number | undefined) =>
    bound(keyword, phrase, limit, limit === 1 ? " character" : " characters")
  for (const { check, inclusive, value, length: exact, size = exact, format = "", ...more } of checksOf(schema)) {
    length("minItems", "At least", more.minimum ?? size)
    length("maxItems", "At most", more.maximum ?? size)
    if (check === "greater_than")
      bound(inclusive ? "minimum" : "exclusiveMinimum", inclusive ? "At least" : "More than", value)
    if (check === "less_than")
      bound(inclusive ? "maximum" : "exclusiveMaximum", inclusive ? "At most" : "Less than", value)
    if (check === "multiple_of" && value) {
      if (json.type === "string" || json.multipleOf !== undefined) words.push(`A multiple of ${value}.`)
      else json.multipleOf = Math.abs(value as number)
    }
    if (check === "number_format") readNumberFormat(format, json)
    if (check === "string_format") words.push(readStringFormat(format, more, json))
  }
  return sentence(words)
}

function readNumberFormat(format: string, json: JsonSchema): void {
  const minimum = format === "int32" ? -(2 ** 31) : 0
  if (/int/.test(format)) json.type = "integer"
  if (/int32/.test(format)) Object.assign(json, { minimum, maximum: minimum + 2 ** 32 - 1 })
}

/** The formats that strict mode supports. */
export const STRICT_FORMATS = /^(date|date-time|duration|email|hostname|ipv[46]|uuid)$/

function readStringFormat(
  format: string,
  { pattern, offset, local }: { pattern?: RegExp; offset?: boolean; local?: boolean },
  json: JsonSchema,
): string {
  const name = format.replace("datetime", "date-time").replace("guid", "uuid")
  if (STRICT_FORMATS.test(name) && json.format === undefined && !local) {
    json.format = name
    return format === "datetime" && !offset ? "In UTC, ending in Z." : ""
  }
  if (pattern === undefined || json.pattern !== undefined || !isPortable(pattern))
    return format === "regex" ? `Matches ${pattern}.` : `Format: ${format}.`
  json.pattern = pattern.source
  return ""
}

/** Adds the pattern of a JSON Schema if every provider supports it; returns whether it did. */
export function addPattern(json: JsonSchema, source: string): boolean {
  const isAdded = json.pattern === undefined && isPortable({ source, flags: "" })
  if (isAdded) json.pattern = source
  return isAdded
}

/** Whether a pattern matches the same strings without its flags, and uses only features that every provider supports. */
function isPortable({ source, flags }: Pick<RegExp, "source" | "flags">): boolean {
  return source.length <= 500 && /^[udgy]*$/.test(flags) && !/\(\?[=!<]|\\[1-9kpP]/.test(source)
}

/** The values of an enum or a literal, grouped by type, because strict mode requires one type for each `enum`. */
export function readValues(values: readonly unknown[]): AnswerNode | undefined {
  const typeOf = (value: unknown) => (value === null ? "null" : typeof value)
  const nodes = [...new Set(values.map(typeOf))].map((type): AnswerNode | undefined => {
    if (type === "null") return NULL
    if (type === "undefined") return UNDEFINED
    const group = values.filter((value) => typeOf(value) === type)
    if (type === "bigint") return { kind: "leaf", json: { type: "string", enum: group.map(String) }, read: toBigint }
    return group.every((value) => /string|boolean/.test(type) || Number.isFinite(value))
      ? { kind: "leaf", json: { type, enum: group } }
      : undefined
  })
  return nodes.length === 0 || nodes.includes(undefined) ? undefined : unionOf(nodes as AnswerNode[])
}

export function isNumeric(node: AnswerNode): node is Leaf & AnswerNode {
  return node.kind === "leaf" && /^(number|integer)$/.test(node.json.type as string)
}

/** Returns the node of a record's key. Numbers become digits, because the keys of JSON objects are strings. */
export function readKey(key: AnswerNode): AnswerNode {
  if (!isNumeric(key)) return key
  const { type, enum: values } = key.json as { type: string; enum?: unknown[] }
  const json = values === undefined ? { pattern: type === "integer" ? INTEGER : NUMBER } : { enum: values.map(String) }
  return { kind: "leaf", json: { type: "string", ...json }, note: key.note }
}

/** Joins sentences into one description, without duplicates. */
export function sentence(parts: readonly (string | undefined)[]): string | undefined {
  return [...new Set(parts)].filter(Boolean).join(" ") || undefined
}
