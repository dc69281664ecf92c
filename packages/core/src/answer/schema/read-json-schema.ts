import { describeValue } from "../../errors"
import { isRecord } from "../../json"
import { UnsupportedSchemaError } from "../answer-errors"
import {
  type AnswerNode,
  absentOr,
  anyValue,
  entryOf,
  isOpen,
  type JsonSchema,
  plainList,
  unionOf,
} from "./answer-node"
import { combineNodes } from "./combine-nodes"
import { addPattern, NULL, readValues, STRICT_FORMATS, sentence } from "./read-leaf"
import { atPointer } from "./validate-json"

/** Maximum nesting of schemas. */
const MAX_NESTING = 200

const NUMBER_BOUNDS = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"] as const

/**
 * Converts a JSON Schema (draft 2020-12 or 7) to the shape of its values on the wire. Keywords that strict mode does
 * not have (`not`, `minLength`, …) become sentences or are omitted: the validator checks them.
 */
export class JsonSchemaReader {
  readonly #root: JsonSchema
  readonly #nodes = new Map<unknown, AnswerNode>()
  readonly #any: AnswerNode = anyValue()
  #names = 0

  constructor(root: JsonSchema) {
    this.#root = root
  }

  /** @throws UnsupportedSchemaError with the path of a construct that cannot be expressed */
  read(schema: unknown = this.#root, path = "answer", depth = 0): AnswerNode {
    if (schema === true) return this.#any
    if (!isRecord(schema)) throw unsupported(path, "a schema that allows no value", "Remove it.")
    if (depth > MAX_NESTING) throw unsupported(path, "a schema of more than 200 levels", "Reduce it.")
    const existing = this.#nodes.get(schema)
    if (existing !== undefined) return this.#reuse(existing, path)
    const node = { path } as AnswerNode
    this.#nodes.set(schema, node)
    const content = this.#read(schema, path, depth + 1)
    // The description is that of this place; the definition that it refers to can have another one.
    const isShared = isOpen(content) || content.recursive !== undefined
    const note = sentence([textOf(schema.description), defaultNote(schema)])
    if (isShared && note === undefined) {
      this.#nodes.set(schema, content)
      return content
    }
    Object.assign(node, isShared ? { kind: "union", options: [content] } : content)
    node.note = sentence([note, node.note])
    return node
  }

  #reuse(node: AnswerNode, path: string): AnswerNode {
    if (!isOpen(node)) return node
    if (node.path === path) throw unsupported(path, "a schema that contains itself directly", "Wrap it in an object.")
    node.recursive ??= `type${++this.#names}`
    return node
  }

  #read(schema: JsonSchema, path: string, depth: number): AnswerNode {
    const read = (inner: unknown) => this.read(inner, path, depth)
    const { $ref, allOf, anyOf, oneOf } = schema
    const parts: AnswerNode[] = []
    if (typeof $ref === "string") parts.push(read(this.#target($ref, path)))
    for (const part of listOf(allOf)) parts.push(read(part))
    for (const options of [anyOf, oneOf]) if (Array.isArray(options)) parts.push(unionOf(options.map(read)))
    const own = this.#own(schema, path, depth)
    if (own !== undefined || parts.length === 0) parts.unshift(own ?? this.#any)
    const combined = parts.reduce<AnswerNode | undefined>((all, part) => all && combineNodes(all, part), parts.shift())
    if (combined === undefined) throw unsupported(path, "this combination of schemas", "Write it as one schema.")
    return schema.nullable === true ? { kind: "union", options: [combined, NULL] } : combined
  }

  #target($ref: string, path: string): unknown {
    const target = atPointer(this.#root, $ref)
    if (target === undefined) throw unsupported(path, `the reference \`${$ref.slice(0, 60)}\``, "Refer to `#/$defs/…`.")
    return target
  }

  /** The node of a schema's own keywords; undefined: they allow every value. */
  #own(schema: JsonSchema, path: string, depth: number): AnswerNode | undefined {
    const values = "const" in schema ? [schema.const] : schema.enum
    if (Array.isArray(values)) {
      const node = readValues(values)
      if (node !== undefined) return node
      throw unsupported(path, "an enum without a simple value", "Use strings, numbers, booleans or null.")
    }
    const types = [schema.type ?? typeByKeywords(schema)].flat().filter((type) => type !== undefined)
    if (types.length === 0) return undefined
    return unionOf(types.map((type) => this.#ofType(String(type), schema, path, depth)))
  }

  #ofType(type: string, schema: JsonSchema, path: string, depth: number): AnswerNode {
    switch (type) {
      case "null":
        return NULL
      case "boolean":
        return { kind: "leaf", json: { type } }
      case "number":
      case "integer":
        return { kind: "leaf", json: { type, ...pickKeywords(schema, NUMBER_BOUNDS) } }
      case "string":
        return stringOf(schema)
      case "array":
        return this.#array(schema, path, depth)
      case "object":
        return this.#object(schema, path, depth)
      default:
        throw unsupported(path, `the type ${describeValue(type)}`, "Use a type of JSON.")
    }
  }

  #array(schema: JsonSchema, path: string, depth: number): AnswerNode {
    const { items, prefixItems, additionalItems } = schema
    const first = prefixItems ?? (Array.isArray(items) ? items : undefined)
    const rest = Array.isArray(items) ? additionalItems : items
    if (!Array.isArray(first)) {
      const list = plainList("array", this.read(items ?? true, `${path}[]`, depth))
      Object.assign(list.json, pickKeywords(schema, ["minItems", "maxItems"]))
      return { ...list, note: schema.uniqueItems === true ? "Distinct items." : undefined }
    }
    const fields = new Map<string, AnswerNode>(
      first.map((item, index) => [`item${index + 1}`, this.read(item, `${path}[${index}]`, depth)] as const),
    )
    const isClosed = rest === undefined || rest === false || schema.maxItems === first.length
    if (!isClosed) fields.set("rest", plainList("array", this.read(rest, `${path}[]`, depth)))
    return { kind: "fields", fields, tuple: true }
  }

  /** An object without known keys is a record. If there are known keys, additional keys are not requested. */
  #object(schema: JsonSchema, path: string, depth: number): AnswerNode {
    const properties = isRecord(schema.properties) ? schema.properties : {}
    const required = listOf(schema.required).map(String)
    const names = [...new Set([...Object.keys(properties), ...required])]
    if (names.length === 0 && schema.additionalProperties !== false) return this.#record(schema, path, depth)
    const fields = names.map((name) => {
      const node = this.read(Object.hasOwn(properties, name) ? properties[name] : true, `${path}.${name}`, depth)
      return [name, required.includes(name) ? node : absentOr(node)] as const
    })
    return { kind: "fields", fields: new Map(fields) }
  }

  #record(schema: JsonSchema, path: string, depth: number): AnswerNode {
    const patterns = Object.values(isRecord(schema.patternProperties) ? schema.patternProperties : {})
    const values = patterns.length > 0 ? patterns : [schema.additionalProperties ?? true]
    const value = unionOf(values.map((each) => this.read(each, `${path}.*`, depth)))
    const names = schema.propertyNames ?? {}
    const key = this.read(isRecord(names) ? { type: "string", ...names } : names, `${path}.key`, depth)
    return { ...plainList("record", entryOf(key, value)), note: "Entries with distinct keys." }
  }
}

function stringOf(schema: JsonSchema): AnswerNode {
  const json: JsonSchema = { type: "string" }
  const { format, pattern, minLength, maxLength } = schema
  const words: string[] = []
  if (typeof format === "string")
    if (STRICT_FORMATS.test(format)) json.format = format
    else words.push(`Format: ${format}.`)
  if (typeof pattern === "string" && !addPattern(json, pattern)) words.push(`Matches ${pattern}.`)
  if (typeof minLength === "number" && minLength > 0) words.push(`At least ${minLength} characters.`)
  if (typeof maxLength === "number") words.push(`At most ${maxLength} characters.`)
  return { kind: "leaf", json, prefixes: true, note: sentence(words) }
}

/** The type that the keywords of a schema without a type are about. */
function typeByKeywords(schema: JsonSchema): string | undefined {
  const has = (...names: string[]) => names.some((name) => name in schema)
  if (has("properties", "required", "additionalProperties", "patternProperties", "propertyNames")) return "object"
  if (has("items", "prefixItems", "minItems", "maxItems", "uniqueItems")) return "array"
  if (has("pattern", "format", "minLength", "maxLength")) return "string"
  return has(...NUMBER_BOUNDS) ? "number" : undefined
}

/** The numeric keywords of a schema among these. */
function pickKeywords(schema: JsonSchema, names: readonly string[]): JsonSchema {
  return Object.fromEntries(names.flatMap((name) => (typeof schema[name] === "number" ? [[name, schema[name]]] : [])))
}

function defaultNote(schema: JsonSchema): string | undefined {
  if (!("default" in schema)) return undefined
  const text = JSON.stringify(schema.default)
  return text === undefined || text.length > 100 ? undefined : `Default: ${text}.`
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function unsupported(path: string, construct: string, remedy: string): UnsupportedSchemaError {
  return new UnsupportedSchemaError(path, construct, remedy)
}
