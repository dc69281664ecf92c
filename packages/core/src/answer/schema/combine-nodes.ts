import { type AnswerNode, type Fields, hideValue, type Leaf, type Union, unionOf } from "./answer-node"
import { isNumeric, sentence } from "./read-leaf"

/** Maximum number of option pairs: an intersection of unions has the product of their options. */
const MAX_PAIRS = 1_000

/** Returns the shape of values that have both shapes; undefined if there is none that can be expressed. */
export function combineNodes(a: AnswerNode, b: AnswerNode, inside = false): AnswerNode | undefined {
  if (a === b) return a
  if (optionsIn(a) * optionsIn(b) > MAX_PAIRS) return undefined
  if (a.kind === "union") return a.any ? b : distribute(a, (option) => combineNodes(option, b, inside))
  if (b.kind === "union") return b.any ? a : distribute(b, (option) => combineNodes(a, option, inside))
  // Combining two recursive types would not terminate.
  if (inside && a.recursive && b.recursive) return undefined
  if (a.kind === "leaf" && b.kind === "leaf") return combineLeaves(a, b)
  if (a.kind === "fields" && b.kind === "fields" && a.tuple === b.tuple) return combineFields(a, b)
  if (a.kind === "list" && b.kind === "list" && a.as === b.as && isMergeable(a)) {
    const item = combineNodes(a.item, b.item, true)
    return item && { kind: "list", as: a.as, item, json: { ...a.json, ...b.json }, note: a.note }
  }
  return undefined
}

function optionsIn(node: AnswerNode): number {
  return node.kind === "union" && !node.any ? node.options.reduce((sum, option) => sum + optionsIn(option), 0) : 1
}

function distribute(union: Union, combine: (option: AnswerNode) => AnswerNode | undefined): AnswerNode | undefined {
  const both = union.options.map(combine).filter((option) => option !== undefined)
  if (both.length === 0) return undefined
  return union.hidden ? hideValue(unionOf(both)) : unionOf(both)
}

function combineFields(a: Fields, b: Fields): AnswerNode | undefined {
  const fields = new Map(a.fields)
  for (const [key, node] of b.fields) {
    const other = fields.get(key)
    const both = other === undefined ? node : combineNodes(other, node, true)
    if (both === undefined || (other !== undefined && !isMergeable(both))) return undefined
    fields.set(key, both)
  }
  return { kind: "fields", fields, tuple: a.tuple }
}

/** Zod merges the results of both sides of an intersection, and throws for sets and maps. */
function isMergeable(node: AnswerNode, seen = new Set<AnswerNode>()): boolean {
  if (seen.has(node)) return true
  seen.add(node)
  const all = (nodes: Iterable<AnswerNode>) => [...nodes].every((part) => isMergeable(part, seen))
  if (node.kind === "fields") return all(node.fields.values())
  if (node.kind === "union") return all(node.options)
  return node.kind !== "list" || (!/set|map/.test(node.as) && isMergeable(node.item, seen))
}

function combineLeaves(a: Leaf & AnswerNode, b: Leaf & AnswerNode): AnswerNode | undefined {
  const numeric = isNumeric(a) && isNumeric(b)
  if ((a.json.type !== b.json.type && !numeric) || (a.read !== b.read && a.read && b.read)) return undefined
  const json = { ...a.json, ...b.json }
  if (a.json.type === "integer") json.type = "integer"
  if (a.json.enum && b.json.enum) {
    const others = new Set(b.json.enum as unknown[])
    const values = (a.json.enum as unknown[]).filter((value) => others.has(value))
    if (values.length === 0) return undefined
    json.enum = values
  }
  const note = sentence([a.note, b.note])
  return { kind: "leaf", json, read: a.read ?? b.read, prefixes: a.prefixes && b.prefixes, note }
}
