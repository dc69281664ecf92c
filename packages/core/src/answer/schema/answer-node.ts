import type { ZodSchema } from "./zod-schema"

/** A JSON Schema, or a part of one. */
export type JsonSchema = Record<string, unknown>

/** What a leaf's `read` returns for a value that it cannot convert. */
export const MISFIT: unique symbol = Symbol("misfit")

/** What reading returns if there is no value: the key is absent, or the unfinished answer does not contain it yet. */
export const NOTHING: unique symbol = Symbol("nothing")

/**
 * The shape of an answer on the wire: the JSON Schema is printed from it, and the answer is read by it. Zod validates the
 * values. A recursive node contains itself; while its schema is being read it is an object without a `kind`.
 */
export type AnswerNode = (Leaf | Fields | List | Union) & {
  /** Becomes the `description`. */
  note?: string | undefined
  /** The name in `$defs` of a recursive node. */
  recursive?: string | undefined
  /** The place in the answer where the schema was first read. */
  path?: string
}

/** A value without parts. `json` has a `type`, and an `enum` if only some values are valid. */
export interface Leaf {
  kind: "leaf"
  json: JsonSchema
  /** Converts the JSON value to the user's value, where they differ. */
  read?: ((value: unknown) => unknown) | undefined
  /** An unfinished answer may show the beginning of the string. */
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

/** One of several shapes; a single one where a description or a mark is needed. */
export interface Union {
  kind: "union"
  options: AnswerNode[]
  /** Any JSON value at all. */
  any?: boolean | undefined
  /** The schema's code converts the value, so an unfinished answer does not show it. */
  hidden?: boolean | undefined
  /** The schemas of the options, to decide between options of the same shape. */
  schemas?: ZodSchema[]
}

/** Represents an absent key as `null`, because strict mode requires every key. */
export const ABSENT: Leaf = { kind: "leaf", json: { type: "null" }, read: () => NOTHING }

function mayBeAbsent(node: AnswerNode): node is Union & AnswerNode {
  return node.kind === "union" && node.options.includes(ABSENT)
}

/** The node as an optional one. */
export function absentOr(inner: AnswerNode, note?: string): AnswerNode {
  return mayBeAbsent(inner) && note === undefined ? inner : { kind: "union", options: [inner, ABSENT], note }
}

/** The node as a required one. */
export function present(node: AnswerNode): AnswerNode {
  return mayBeAbsent(node) ? unionOf(node.options.filter((option) => option !== ABSENT)) : node
}

/** The node as one that the schema's code converts. */
export function hidden(inner: AnswerNode): AnswerNode {
  return { kind: "union", options: [inner], hidden: true }
}

/** A union of the options; the option itself if there is one only. */
export function unionOf(options: AnswerNode[]): AnswerNode {
  return options.length === 1 ? options[0]! : { kind: "union", options }
}
