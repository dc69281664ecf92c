/** A JSON Schema, or a part of one. */
export type JsonSchema = Record<string, unknown>

/** What a leaf's `read` says of a value that it cannot turn into the user's. */
export const MISFIT: unique symbol = Symbol("misfit")

/**
 * The form of an answer: what is sent to the provider is printed from it, and what comes back is read by it. A node
 * never holds a Zod schema; whether a value is right is for Zod to say, a node only knows the shape it travels in.
 */
export type AnswerNode = (Leaf | Fields | List | Union | Absent | Hidden | Late) & {
  /** Becomes the `description`. */
  note?: string | undefined
  /** Set when the node refers to itself: its name in `$defs`. */
  recursive?: string | undefined
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
  bounds: JsonSchema
}

export interface Union {
  kind: "union"
  options: AnswerNode[]
  /** Any JSON value at all. */
  any?: boolean | undefined
}

/** May be absent: `null` stands for that, since strict mode requires every key. */
export interface Absent {
  kind: "absent"
  inner: AnswerNode
}

/** Something that the user's code turns into something else: not shown while the answer is unfinished. */
export interface Hidden {
  kind: "hidden"
  inner: AnswerNode
}

/** A node that was still being read when it was met again. */
export interface Late {
  kind: "late"
  target?: AnswerNode | undefined
}

/** The node as an optional one, once. */
export function absentOr(inner: AnswerNode, note?: string): AnswerNode {
  return inner.kind === "absent" && note === undefined ? inner : { kind: "absent", inner, note }
}

/** A union of what is given, flattened where it is only one. */
export function unionOf(options: AnswerNode[]): AnswerNode {
  return options.length === 1 ? options[0]! : { kind: "union", options }
}
