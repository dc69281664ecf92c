import { UnsupportedSchemaError } from "./answer-errors"
import type { AnswerNode, JsonSchema } from "./answer-node"
import { sentence } from "./read-leaf"

/**
 * What strict mode takes at most. Source: OpenAI, "Structured model outputs", section "Supported schemas",
 * https://platform.openai.com/docs/guides/structured-outputs#supported-schemas, as recorded for February 2026 by
 * https://jsonschemaprofiles.unitvectorylabs.com/schemas/openai. "Levels" are objects inside objects there.
 */
export const STRICT_LIMITS = {
  properties: 5_000,
  /** Objects inside objects. */
  levels: 10,
  enumValues: 1_000,
  /** Of property names, definition names, enum and const values together. */
  characters: 120_000,
  /** An enum of more values than this may have only so many characters. */
  longEnumValues: 250,
  longEnumCharacters: 15_000,
} as const

/** Prints a form as strict JSON Schema, and counts what strict mode counts. */
export class SchemaPrinter {
  /** Every property name that occurs. */
  readonly names = new Set<string>()
  readonly #definitions: Record<string, JsonSchema> = {}
  #properties = 0
  #enumValues = 0
  #characters = 0

  /**
   * @param root an object
   * @throws UnsupportedSchemaError when it is larger than strict mode takes.
   */
  print(root: AnswerNode): JsonSchema {
    const json = this.#body(root, root, 0, "answer")
    return Object.keys(this.#definitions).length === 0 ? json : { ...json, $defs: this.#definitions }
  }

  #node(node: AnswerNode, root: AnswerNode, level: number, path: string): JsonSchema {
    if (node.kind === "late") return this.#node(node.target!, root, level, path)
    if (node === root) return { $ref: "#" }
    const { recursive } = node
    if (recursive === undefined) return this.#body(node, root, level, path)
    if (!Object.hasOwn(this.#definitions, recursive)) {
      this.#definitions[recursive] = {}
      this.#characters += recursive.length
      this.#definitions[recursive] = this.#body(node, root, 0, path)
    }
    return { $ref: `#/$defs/${recursive}` }
  }

  #body(node: AnswerNode, root: AnswerNode, level: number, path: string): JsonSchema {
    switch (node.kind) {
      case "leaf":
        this.#countEnum(node.json.enum as unknown[] | undefined, path)
        return described(node.json, node.note)
      case "fields": {
        const properties = this.#fields(node.fields, root, level + 1, path)
        const required = [...node.fields.keys()]
        return described({ type: "object", properties, required, additionalProperties: false }, node.note)
      }
      case "list": {
        const items = this.#node(node.item, root, level, `${path}[]`)
        const hint = {
          array: undefined,
          set: "Distinct items.",
          map: "Entries.",
          record: "Entries with distinct keys.",
        }
        const note = sentence([node.note, hint[node.as]])
        return described({ type: "array", items, ...node.bounds }, note)
      }
      case "union":
        return described(anyOf(node.options.map((option) => this.#node(option, root, level, path))), node.note)
      case "absent":
        return described(anyOf([this.#node(node.inner, root, level, path), { type: "null" }]), node.note)
      case "hidden":
        return described(this.#node(node.inner, root, level, path), node.note)
      case "late":
        return this.#node(node, root, level, path)
    }
  }

  #fields(fields: Map<string, AnswerNode>, root: AnswerNode, level: number, path: string): JsonSchema {
    this.#check(level, STRICT_LIMITS.levels, "levels of objects", path)
    this.#properties += fields.size
    this.#check(this.#properties, STRICT_LIMITS.properties, "properties", path)
    const entries: [string, JsonSchema][] = []
    for (const [key, node] of fields) {
      this.names.add(key)
      this.#characters += key.length
      entries.push([key, this.#node(node, root, level, `${path}.${key}`)])
    }
    this.#check(this.#characters, STRICT_LIMITS.characters, "characters of names and values", path)
    return Object.fromEntries(entries)
  }

  #countEnum(values: unknown[] | undefined, path: string): void {
    if (values === undefined) return
    const characters = values.reduce<number>((sum, value) => sum + String(value).length, 0)
    this.#enumValues += values.length
    this.#characters += characters
    this.#check(this.#enumValues, STRICT_LIMITS.enumValues, "enum values", path)
    this.#check(this.#characters, STRICT_LIMITS.characters, "characters of names and values", path)
    if (values.length > STRICT_LIMITS.longEnumValues)
      this.#check(characters, STRICT_LIMITS.longEnumCharacters, "characters in one long enum", path)
  }

  #check(count: number, limit: number, what: string, path: string): void {
    if (count <= limit) return
    throw new UnsupportedSchemaError(
      path,
      `more than ${limit} ${what}`,
      "Providers refuse larger schemas: take fields away, share fewer values, or ask in several requests.",
    )
  }
}

/** `$ref` takes no neighbours, so a description is put around it. */
function described(json: JsonSchema, note: string | undefined): JsonSchema {
  if (note === undefined) return json
  if (json.$ref !== undefined) return { description: note, anyOf: [json] }
  return { ...json, description: sentence([note, json.description === note ? "" : (json.description as string)]) }
}

/** Options without doubles, `null` last; bare types become a list of types. */
function anyOf(options: JsonSchema[]): JsonSchema {
  const flat = options.flatMap((option) => {
    if (option.anyOf !== undefined && Object.keys(option).length === 1) return option.anyOf as JsonSchema[]
    return Array.isArray(option.type) ? [{ ...option, type: option.type[0] }, { type: "null" }] : [option]
  })
  const distinct = [...new Map(flat.map((option) => [JSON.stringify(option), option])).values()]
  const isNull = (option: JsonSchema) => option.type === "null"
  const [first, ...others] = distinct.filter((option) => !isNull(option))
  if (first === undefined) return { type: "null" }
  const nullable = distinct.some(isNull)
  if (!nullable && others.length === 0) return first
  if (nullable && others.length === 0 && typeof first.type === "string" && first.enum === undefined)
    return { ...first, type: [first.type, "null"] }
  return { anyOf: [first, ...others, ...(nullable ? [{ type: "null" }] : [])] }
}
