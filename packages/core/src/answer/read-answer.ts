import { type AnswerNode, type Fields, type Leaf, type List, MISFIT } from "./answer-node"
import { Unfinished } from "./partial-json"

/**
 * Turns what a provider sent into what the user's schema takes: nulls that stand for absence are dropped, entries
 * become records and maps, digits become bigints. What does not fit stays as it is, for Zod to say so, and is counted,
 * so that a union can choose the option that fits best.
 *
 * Beside the form that is sent, the natural one is understood too (a record as an object, a tuple as a list, an absent
 * key), because providers without strict mode write what they like.
 */
export class AnswerReader {
  #misfits = 0
  /** What a union made of an object, so that nested unions cost no more than their size. */
  readonly #chosen = new Map<AnswerNode, Map<unknown, { value: unknown; misfits: number }>>()

  /** @param partial the value is unfinished: leave out what cannot be shown yet. */
  constructor(private readonly partial: boolean) {}

  read(node: AnswerNode, value: unknown): unknown {
    switch (node.kind) {
      case "leaf":
        return this.#leaf(node, value)
      case "fields":
        return this.#fields(node, value)
      case "list":
        return this.#list(node, value)
      case "union":
        return this.#union(node, node.options, value)
      case "absent":
        return value === null && !this.#fits(node.inner, null) ? undefined : this.read(node.inner, value)
      case "hidden":
        return this.partial ? undefined : this.read(node.inner, value)
      case "late":
        return this.read(node.target!, value)
    }
  }

  /** A wrong value weighs more than a right one in its natural form. */
  #misfit(value: unknown): unknown {
    this.#misfits += 2
    return this.partial ? undefined : value
  }

  #leaf({ json, read, prefixes }: Leaf, value: unknown): unknown {
    if (value instanceof Unfinished) {
      if (prefixes && json.type === "string") return value.text
      // In a union, an option that can show the beginning is preferred to one that must wait for the end.
      this.#misfits += json.type === "string" ? 1 : 2
      return undefined
    }
    if (json.enum !== undefined && !(json.enum as unknown[]).includes(value)) return this.#misfit(value)
    if (read === undefined) return isOfType(value, json.type) ? value : this.#misfit(value)
    const result = json.type === "null" && value !== null ? MISFIT : read(value)
    return result === MISFIT ? this.#misfit(value) : result
  }

  #fields({ fields, tuple }: Fields, value: unknown): unknown {
    if (tuple && Array.isArray(value)) return this.#naturalTuple(fields, value)
    if (!isObject(value)) return this.#misfit(value)
    const entries: [string, unknown][] = []
    for (const [key, item] of Object.entries(value)) {
      const field = fields.get(key)
      const read = field === undefined ? this.#misfit(item) : this.read(field, item)
      // An absent `toString` would be looked up in the prototype, so its absence is written down.
      if (this.#isThere(field, read) || (!this.partial && key in Object.prototype)) entries.push([key, read])
    }
    if (!this.partial)
      for (const [key, field] of fields) if (!Object.hasOwn(value, key) && !isOmittable(field)) this.#misfits += 2
    const result = Object.fromEntries(entries)
    return tuple ? tupleOf(fields, result, this.partial) : result
  }

  #naturalTuple(fields: Map<string, AnswerNode>, value: unknown[]): unknown[] {
    this.#misfits++
    const { rest, ...items } = Object.fromEntries(fields)
    const known = Object.values(items)
    const item = rest?.kind === "list" ? rest.item : undefined
    return value.map((entry, index) => {
      const node = known[index] ?? item
      return node === undefined ? this.#misfit(entry) : this.read(node, entry)
    })
  }

  #list({ as, item }: List, value: unknown): unknown {
    const entry = item.kind === "fields" ? item.fields : undefined
    if (as === "record" && isObject(value) && entry !== undefined) {
      this.#misfits++
      const natural = Object.entries(value).map(([key, part]) => [key, this.read(entry.get("value")!, part)])
      return Object.fromEntries(natural.filter(([, part]) => this.#isThere(entry.get("value"), part)))
    }
    if (!Array.isArray(value)) return this.#misfit(value)
    const items: unknown[] = []
    for (const part of value) {
      const read = this.read(item, part)
      if (read !== undefined || !this.partial) items.push(read)
    }
    if (as === "array") return items
    if (as === "set") return new Set(items)
    const isPair = (part: unknown): part is { key: string; value: unknown } =>
      isObject(part) && (!this.partial || ("key" in part && "value" in part))
    const pairs = items.filter(isPair)
    if (pairs.length < items.length && !this.partial) return this.#misfit(value)
    if (as === "map") return new Map(pairs.map((pair) => [pair.key, pair.value]))
    const there = pairs.filter((pair) => this.#isThere(entry?.get("value"), pair.value))
    return Object.fromEntries(there.map((pair) => [pair.key, pair.value]))
  }

  /** Whether a key is written for what was read: undefined may be a value, or the absence of one. */
  #isThere(node: AnswerNode | undefined, value: unknown): boolean {
    return value !== undefined || !(this.partial || node === undefined || isOmittable(node))
  }

  /** The first option that fits, else the one that fits best. */
  #union(node: AnswerNode, options: AnswerNode[], value: unknown): unknown {
    const chosen = this.#chosen.get(node)?.get(value)
    const before = this.#misfits
    if (chosen !== undefined) {
      this.#misfits += chosen.misfits
      return chosen.value
    }
    let best: { value: unknown; misfits: number } | undefined
    for (const option of options) {
      this.#misfits = 0
      const result = this.read(option, value)
      if (best === undefined || this.#misfits < best.misfits) best = { value: result, misfits: this.#misfits }
      if (best.misfits === 0) break
    }
    this.#misfits = before + best!.misfits
    if (typeof value === "object") {
      const known = this.#chosen.get(node) ?? new Map()
      this.#chosen.set(node, known.set(value, best!))
    }
    return best!.value
  }

  #fits(node: AnswerNode, value: unknown): boolean {
    const before = this.#misfits
    this.#misfits = 0
    this.read(node, value)
    const fits = this.#misfits === 0
    this.#misfits = before
    return fits
  }
}

/** Whether Zod takes the absence of a key of this form. */
function isOmittable(node: AnswerNode): boolean {
  if (node.kind === "union") return node.options.some(isOmittable)
  if (node.kind === "hidden") return isOmittable(node.inner)
  return node.kind === "absent" || (node.kind === "late" && node.target!.kind === "absent")
}

/** The items in order; those at the end that are absent are left out. */
function tupleOf(fields: Map<string, AnswerNode>, object: Record<string, unknown>, partial: boolean): unknown[] {
  const items = [...fields].filter(([key]) => key !== "rest")
  const values = items.map(([key]) => object[key])
  const rest = Array.isArray(object.rest) ? object.rest : []
  if (rest.length > 0) return [...values, ...rest]
  while (values.length > 0 && values.at(-1) === undefined) {
    if (!partial && !isOmittable(items[values.length - 1]![1])) break
    values.pop()
  }
  return values
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Unfinished)
}

function isOfType(value: unknown, type: unknown): boolean {
  if (type === "null") return value === null
  return type === "integer" ? Number.isInteger(value) : typeof value === type
}
