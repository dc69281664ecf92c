import type { ZodSchema } from "./zod-schema"

/** A JSON Schema, or a part of one. */
export type JsonSchema = Record<string, unknown>

/** What a leaf's `read` says of a value that it cannot turn into the user's. */
export const MISFIT: unique symbol = Symbol("misfit")

/** Read where there is no value: a key that is absent, or what an unfinished answer does not show yet. */
export const NOTHING: unique symbol = Symbol("nothing")

/**
 * The form of an answer: what is sent to the provider is printed from it, and what comes back is read by it. Whether a
 * value is right is for Zod to say, a node only knows the shape it travels in. A node that refers to itself does so
 * directly: while it is being read it is an object without a `kind`.
 */
export type AnswerNode = (Leaf | Fields | List | Union) & {
  /** Becomes the `description`. */
  note?: string | undefined
  /** Set when the node refers to itself: its name in `$defs`. */
  recursive?: string | undefined
  /** Where it is first read. */
  path?: string
}

/** A value without parts. `json` has a `type`, and an `enum` when only some values will do. */
export interface Leaf {
  kind: "leaf"
  json: JsonSchema
  /** The user's value, where it is not the JSON value itself. */
  read?: ((value: unknown) => unknown) | undefined
  /** The beginning of the text is a value too, so an unfinished answer may show it. */
  prefixes?: boolean | undefined
}

/** An object with known keys; a tuple travels as one, with keys `item1`, `item2`, … and `rest`. */
export interface Fields {
  kind: "fields"
  fields: Map<string, AnswerNode>
  tuple?: boolean | undefined
}

/** Any number of items; records and maps travel as lists of `{ key, value }`. */
export interface List {
  kind: "list"
  item: AnswerNode
  as: "array" | "set" | "map" | "record"
  /** `type`, and the keywords that bound the number of items. */
  json: JsonSchema
}

/** One of several forms; of one form only, where something has to be said about it. */
export interface Union {
  kind: "union"
  options: AnswerNode[]
  /** Any JSON value at all. */
  any?: boolean | undefined
  /** The user's code turns it into something else: not shown while the answer is unfinished. */
  hidden?: boolean | undefined
  /** What Zod tries, option by option: asked where several options look alike. */
  schemas?: ZodSchema[]
}

/** Stands for a key that is not there, since strict mode requires every key. */
export const ABSENT: Leaf = { kind: "leaf", json: { type: "null" }, read: () => NOTHING }

function mayBeAbsent(node: AnswerNode): node is Union & AnswerNode {
  return node.kind === "union" && node.options.includes(ABSENT)
}

/** The node as an optional one, once. */
export function absentOr(inner: AnswerNode, note?: string): AnswerNode {
  return mayBeAbsent(inner) && note === undefined ? inner : { kind: "union", options: [inner, ABSENT], note }
}

/** The node as one that must be there. */
export function present(node: AnswerNode): AnswerNode {
  return mayBeAbsent(node) ? unionOf(node.options.filter((option) => option !== ABSENT)) : node
}

/** The node as one that the user's code turns into something else. */
export function hidden(inner: AnswerNode): AnswerNode {
  return { kind: "union", options: [inner], hidden: true }
}

/** A union of what is given, flattened where it is only one. */
export function unionOf(options: AnswerNode[]): AnswerNode {
  return options.length === 1 ? options[0]! : { kind: "union", options }
}
