import { UnsupportedSchemaError } from "../answer-errors"
import type { AnswerNode, JsonSchema } from "./answer-node"
import { sentence } from "./read-leaf"

/**
 * The limits of strict mode. Source: OpenAI, "Structured model outputs", section "Supported schemas",
 * https://platform.openai.com/docs/guides/structured-outputs#supported-schemas, as recorded for February 2026 by
 * https://jsonschemaprofiles.unitvectorylabs.com/schemas/openai
 */
const STRICT_LIMITS = {
  "levels of objects": 10,
  properties: 5_000,
  "enum values": 1_000,
  /** Property names, definition names, enum and const values together. */
  "characters of names and values": 120_000,
  "characters in one long enum": 15_000,
}

/** An enum with more values than this is long. */
const LONG_ENUM = 250

/** Prints a node as strict JSON Schema, within the limits of strict mode. */
export class SchemaPrinter {
  readonly #definitions: Record<string, JsonSchema> = {}
  readonly #counts: Partial<Record<keyof typeof STRICT_LIMITS, number>> = {}

  readonly #root: AnswerNode

  /** @param root an object */
  constructor(root: AnswerNode) {
    this.#root = root
  }

  /** @throws UnsupportedSchemaError if the schema is larger than strict mode allows */
  print(): JsonSchema {
    const json = this.#body(this.#root, 0, "answer")
    return Object.keys(this.#definitions).length === 0 ? json : { ...json, $defs: this.#definitions }
  }

  #reference(node: AnswerNode, level: number, path: string): JsonSchema {
    if (node === this.#root) return { $ref: "#" }
    const { recursive } = node
    if (recursive === undefined) return this.#body(node, level, path)
    if (!Object.hasOwn(this.#definitions, recursive)) {
      this.#definitions[recursive] = {}
      this.#count("characters of names and values", recursive.length, path)
      this.#definitions[recursive] = this.#body(node, 0, path)
    }
    return { $ref: `#/$defs/${recursive}` }
  }

  #body(node: AnswerNode, level: number, path: string): JsonSchema {
    return withNote(this.#bare(node, level, path), node.note)
  }

  #bare(node: AnswerNode, level: number, path: string): JsonSchema {
    if (node.kind === "union") return anyOf(node.options.map((option) => this.#reference(option, level, path)))
    if (node.kind === "list") {
      const { type, ...bounds } = node.json
      return { type, items: this.#reference(node.item, level, `${path}[]`), ...bounds }
    }
    if (node.kind === "leaf") {
      if (node.json.enum !== undefined) this.#countEnum(node.json.enum as unknown[], path)
      return node.json
    }
    this.#check("levels of objects", level + 1, path)
    this.#count("properties", node.fields.size, path)
    const properties = [...node.fields].map(([key, field]) => {
      this.#count("characters of names and values", key.length, path)
      return [key, this.#reference(field, level + 1, `${path}.${key}`)]
    })
    const required = [...node.fields.keys()]
    return { type: "object", properties: Object.fromEntries(properties), required, additionalProperties: false }
  }

  #countEnum(values: unknown[], path: string): void {
    const characters = values.map(String).join("").length
    this.#count("enum values", values.length, path)
    this.#count("characters of names and values", characters, path)
    if (values.length > LONG_ENUM) this.#check("characters in one long enum", characters, path)
  }

  #count(what: keyof typeof STRICT_LIMITS, more: number, path: string): void {
    const count = (this.#counts[what] ?? 0) + more
    this.#counts[what] = count
    this.#check(what, count, path)
  }

  #check(what: keyof typeof STRICT_LIMITS, count: number, path: string): void {
    const limit = STRICT_LIMITS[what]
    if (count <= limit) return
    throw new UnsupportedSchemaError(
      path,
      `more than ${limit} ${what}`,
      "Reduce the schema, or split it into two requests.",
    )
  }
}

/** Strict mode allows no other keyword in an object with `$ref`, so a description wraps it. */
function withNote(json: JsonSchema, note: string | undefined): JsonSchema {
  if (note === undefined) return json
  if (json.$ref !== undefined) return { description: note, anyOf: [json] }
  return { ...json, description: sentence([note, json.description as string]) }
}

const NULL_TYPE = { type: "null" }

/** Options without duplicates, `null` last; a nullable bare type becomes a list of types. */
function anyOf(options: JsonSchema[]): JsonSchema {
  const flat = options.flatMap((option) => {
    if (option.anyOf !== undefined && Object.keys(option).length === 1) return option.anyOf as JsonSchema[]
    return Array.isArray(option.type) ? [{ ...option, type: option.type[0] }, NULL_TYPE] : [option]
  })
  const distinct = [...new Map(flat.map((option) => [JSON.stringify(option), option])).values()]
  const others = distinct.filter(({ type }) => type !== "null")
  const [first = NULL_TYPE] = others
  const nullable = others.length < distinct.length
  if (others.length === 0 || (others.length === 1 && !nullable)) return first
  if (others.length === 1 && typeof first.type === "string" && !("enum" in first))
    return { ...first, type: [first.type, "null"] }
  return { anyOf: nullable ? [...others, NULL_TYPE] : others }
}
