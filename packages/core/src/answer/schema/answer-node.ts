import type { ZodSchema } from "./zod-schema"

/** A JSON Schema, or a part of one. */
export type JsonSchema = Record<string, unknown>

/** The result of a leaf's `read` for a value that it cannot convert. */
export const MISFIT: unique symbol = Symbol("misfit")

/** The result of reading if there is no value: the key is absent, or the unfinished answer does not contain it yet. */
export const NOTHING: unique symbol = Symbol("nothing")

/**
 * The shape of an answer on the wire. The JSON Schema is printed from it, and the answer is read with it. Zod validates the
 * values. A recursive node contains itself; while its schema is being read it is an object without a `kind`.
 */
export type AnswerNode = (Leaf | Fields | List | Union) & {
  /** Printed as the `description`. */
  note?: string | undefined
  /** The name of a recursive node in `$defs`. */
  recursive?: string | undefined
  /** The place in the answer where the schema was first read. */
  path?: string
}

/** A value without parts. `json` has a `type`, and an `enum` if only some values are valid. */
export interface Leaf {
  kind: "leaf"
  json: JsonSchema
  /** Converts the JSON value to the user's value if they differ. */
  read?: ((value: unknown) => unknown) | undefined
  /** Whether an unfinished answer may show the beginning of the string. */
  prefixes?: boolean | undefined
}

/** An object with known keys; also a tuple, with keys `item1`, `item2`, … and `rest`. */
export interface Fields {
  kind: "fields"
  fields: Map<string, AnswerNode>
  tuple?: boolean | undefined
}

/** Any number of items; also a record or map, as an array of `{ key, value }`. */
export interface List {
  kind: "list"
  item: AnswerNode
  as: "array" | "set" | "map" | "record"
  /** `type`, and the keywords that bound the number of items. */
  json: JsonSchema
}

/** One of several shapes. A single shape is wrapped to add a description or a mark. */
export interface Union {
  kind: "union"
  options: AnswerNode[]
  /** Whether any JSON value is valid. */
  any?: boolean | undefined
  /** Whether the schema's code converts the value, so that an unfinished answer does not show it. */
  hidden?: boolean | undefined
  /** The schemas of the options, to decide between options of the same shape. */
  schemas?: ZodSchema[]
}

/** Represents an absent key as `null`, because strict mode requires every key. */
export const ABSENT: Leaf = { kind: "leaf", json: { type: "null" }, read: () => NOTHING }

function mayBeAbsent(node: AnswerNode): node is Union & AnswerNode {
  return node.kind === "union" && node.options.includes(ABSENT)
}

/** Makes a node optional. */
export function absentOr(inner: AnswerNode, note?: string): AnswerNode {
  return mayBeAbsent(inner) && note === undefined ? inner : { kind: "union", options: [inner, ABSENT], note }
}

/** Makes a node required. */
export function present(node: AnswerNode): AnswerNode {
  return mayBeAbsent(node) ? unionOf(node.options.filter((option) => option !== ABSENT)) : node
}

/** Wraps a node whose value the schema's code converts. */
export function hideValue(inner: AnswerNode): AnswerNode {
  return { kind: "union", options: [inner], hidden: true }
}

/** Returns a union of the options, or the option itself if there is only one. */
export function unionOf(options: AnswerNode[]): AnswerNode {
  return options.length === 1 ? options[0]! : { kind: "union", options }
}

/** Any JSON value: objects are arrays of entries on the wire, like records. */
export function anyValue(): AnswerNode {
  const options = ["string", "number", "boolean", "null"].map(
    (type): AnswerNode => ({ kind: "leaf", json: { type }, prefixes: true }),
  )
  const value: AnswerNode = { kind: "union", options, any: true, recursive: "json" }
  options.push(plainList("array", value), plainList("record", entryOf(options[0]!, value)))
  return value
}

/** One entry of a record or a map. */
export function entryOf(key: AnswerNode, value: AnswerNode): Fields {
  return { kind: "fields", fields: new Map(Object.entries({ key, value })) }
}

/** A list of any length. */
export function plainList(as: List["as"], item: AnswerNode): List & AnswerNode {
  return { kind: "list", as, item, json: { type: "array" } }
}

/** Whether a node is still being read. */
export function isOpen(node: AnswerNode): boolean {
  return node.kind === undefined
}
