import { type AnswerNode, absentOr, type Leaf, unionOf } from "./answer-node"
import { sentence } from "./read-leaf"

/** The form of values that have both forms; undefined when there is none, or none that can be told. */
export function combineNodes(a: AnswerNode, b: AnswerNode): AnswerNode | undefined {
  if (a === b) return a
  if (a.kind === "union" && a.any) return b
  if (b.kind === "union" && b.any) return a
  if (a.kind === "hidden") return hidden(combineNodes(a.inner, b))
  if (b.kind === "hidden") return hidden(combineNodes(a, b.inner))
  if (a.kind === "absent" || b.kind === "absent") {
    const inner = combineNodes(a.kind === "absent" ? a.inner : a, b.kind === "absent" ? b.inner : b)
    return inner !== undefined && a.kind === b.kind ? absentOr(inner) : inner
  }
  if (a.kind === "union") return distribute(a.options, (option) => combineNodes(option, b))
  if (b.kind === "union") return distribute(b.options, (option) => combineNodes(a, option))
  if (a.kind === "leaf" && b.kind === "leaf") return combineLeaves(a, b)
  if (a.kind === "fields" && b.kind === "fields" && a.tuple === b.tuple) return combineFields(a, b)
  if (a.kind === "list" && b.kind === "list" && a.as === b.as && isMergeable(a)) {
    const item = combineNodes(a.item, b.item)
    return item && { kind: "list", as: a.as, item, bounds: { ...a.bounds, ...b.bounds } }
  }
  return undefined
}

function hidden(inner: AnswerNode | undefined): AnswerNode | undefined {
  return inner && { kind: "hidden", inner }
}

function distribute(
  options: AnswerNode[],
  combine: (option: AnswerNode) => AnswerNode | undefined,
): AnswerNode | undefined {
  const both = options.map(combine).filter((option) => option !== undefined)
  return both.length === 0 ? undefined : unionOf(both)
}

function combineFields(a: AnswerNode & { kind: "fields" }, b: AnswerNode & { kind: "fields" }): AnswerNode | undefined {
  const fields = new Map(a.fields)
  for (const [key, node] of b.fields) {
    const other = fields.get(key)
    const both = other === undefined ? node : combineNodes(other, node)
    if (both === undefined || (other !== undefined && !isMergeable(both))) return undefined
    fields.set(key, both)
  }
  return { kind: "fields", fields, tuple: a.tuple }
}

/** Zod merges what both sides of an intersection made of a value, and throws on sets and maps. */
function isMergeable(node: AnswerNode): boolean {
  if (node.kind === "fields") return [...node.fields.values()].every(isMergeable)
  if (node.kind === "union") return node.options.every(isMergeable)
  if (node.kind === "list") return node.as !== "set" && node.as !== "map" && isMergeable(node.item)
  return node.kind === "absent" || node.kind === "hidden" ? isMergeable(node.inner) : true
}

function combineLeaves(a: Leaf & { note?: string | undefined }, b: Leaf & { note?: string | undefined }) {
  const number = /^(number|integer)$/
  const numeric = number.test(String(a.json.type)) && number.test(String(b.json.type))
  if ((a.json.type !== b.json.type && !numeric) || (a.read !== b.read && a.read && b.read)) return undefined
  const json = { ...a.json, ...b.json }
  if (numeric && (a.json.type === "integer" || b.json.type === "integer")) json.type = "integer"
  if (a.json.enum !== undefined && b.json.enum !== undefined) {
    const values = (a.json.enum as unknown[]).filter((value) => (b.json.enum as unknown[]).includes(value))
    if (values.length === 0) return undefined
    json.enum = values
  }
  const both: AnswerNode = {
    kind: "leaf",
    json,
    read: a.read ?? b.read,
    prefixes: a.prefixes && b.prefixes,
    note: sentence([a.note, b.note === a.note ? undefined : b.note]),
  }
  return both
}
