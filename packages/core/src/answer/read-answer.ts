import { ABSENT, type AnswerNode, type Fields, type Leaf, type List, MISFIT, type Union } from "./answer-node"
import type { ParseWork } from "./parse-work"
import { Unfinished } from "./partial-json"

/** What a form makes of a value, and how badly the value fits it. */
interface Reading {
  value: unknown
  misfits: number
}

/**
 * How much it weighs when a value stands where only `null` may; when it is wrong; and when it is right, but in its
 * natural form, or not whole yet.
 */
const NEVER = 1e6
const WRONG = 2
const ODD = 1

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
  readonly #chosen = new Map<AnswerNode, Map<unknown, Reading>>()
  readonly #work: ParseWork | undefined
  readonly #partial: boolean

  /** @param work what asking Zod may cost; without it the value is unfinished: leave out what cannot be shown yet. */
  constructor(work: ParseWork | undefined) {
    this.#work = work
    this.#partial = work === undefined
  }

  read(node: AnswerNode, value: unknown): unknown {
    if (node.kind === "leaf") return this.#leaf(node, value)
    if (node.kind === "fields") return this.#fields(node, value)
    if (node.kind === "list") return this.#list(node, value)
    return node.hidden && this.#partial ? undefined : this.#union(node, value)
  }

  #misfit(value: unknown, weight = WRONG): unknown {
    this.#misfits += weight
    return this.#partial ? undefined : value
  }

  #leaf({ json, read, prefixes }: Leaf, value: unknown): unknown {
    if (json.type === "null" && value !== null) return this.#misfit(value, NEVER)
    if (value instanceof Unfinished) {
      if (prefixes && json.type === "string") return value.text
      // In a union, an option that can show the beginning is preferred to one that must wait for the end.
      return this.#misfit(undefined, json.type === "string" ? ODD : WRONG)
    }
    if (json.enum !== undefined && !(json.enum as unknown[]).includes(value)) return this.#misfit(value)
    const result = read !== undefined ? read(value) : isOfType(value, json.type) ? value : MISFIT
    return result === MISFIT ? this.#misfit(value) : result
  }

  #fields({ fields, tuple }: Fields, given: unknown): unknown {
    const value = tuple && Array.isArray(given) ? this.#tupleOf(fields, given) : given
    if (!isObject(value)) return this.#misfit(value)
    const entries: [string, unknown][] = []
    for (const key of Object.keys(value)) {
      const field = fields.get(key)
      const read = field === undefined ? this.#misfit(value[key]) : this.read(field, value[key])
      // An absent `toString` would be looked up in the prototype, so its absence is written down.
      if (this.#isThere(field, read) || (key in Object.prototype && !this.#partial)) entries.push([key, read])
    }
    const result = Object.fromEntries(entries)
    if (!this.#partial)
      for (const [key, field] of fields) if (!Object.hasOwn(value, key) && !isOmittable(field)) this.#misfits += WRONG
    return tuple ? listOf(fields, result, this.#partial) : result
  }

  /** A tuple in its natural form, as the object that is sent. */
  #tupleOf(fields: Map<string, AnswerNode>, list: unknown[]): Record<string, unknown> {
    this.#misfit(list, ODD)
    const size = fields.has("rest") ? fields.size - 1 : fields.size
    const entries = list.slice(0, size).map((item, index) => [`item${index + 1}`, item])
    // Items too many are kept, for Zod to refuse them.
    if (list.length > size || size < fields.size) entries.push(["rest", list.slice(size)])
    return Object.fromEntries(entries)
  }

  #list({ as, item }: List, given: unknown): unknown {
    let value = given
    if (as === "record" && isObject(given)) {
      this.#misfit(given, ODD)
      value = Object.entries(given).map(([key, part]) => ({ key, value: part }))
    }
    if (!Array.isArray(value)) return this.#misfit(given)
    const items = value.map((part) => this.read(item, part)).filter((part) => part !== undefined || !this.#partial)
    if (as === "array") return items
    if (as === "set") return new Set(items)
    const pairs = items.filter(
      (part): part is { key: string; value: unknown } =>
        isObject(part) && (!this.#partial || ("key" in part && "value" in part)),
    )
    if (pairs.length < items.length && !this.#partial) return this.#misfit(given)
    const entries = pairs.map((pair) => [pair.key, pair.value] as const)
    if (as === "map") return new Map(entries)
    // An object as a key would be asked for its name, and throw where the answer says what its `toString` is.
    if (entries.some(([key]) => typeof key === "object")) return this.#misfit(given)
    const field = item.kind === "fields" ? item.fields.get("value") : undefined
    return Object.fromEntries(entries.filter(([, part]) => this.#isThere(field, part)))
  }

  /** Whether a key is written for what was read: undefined may be a value, or the absence of one. */
  #isThere(node: AnswerNode | undefined, value: unknown): boolean {
    return value !== undefined || !(this.#partial || node === undefined || isOmittable(node))
  }

  #union(node: Union & AnswerNode, value: unknown): unknown {
    const before = this.#misfits
    const known = this.#chosen.get(node) ?? new Map<unknown, Reading>()
    const best = known.get(value) ?? this.#choose(node, value)
    if (typeof value === "object") this.#chosen.set(node, known.set(value, best))
    this.#misfits = before + best.misfits
    return best.value
  }

  /** The option that fits best; where several fit as well as one another, the first of them that Zod takes. */
  #choose({ options, accepts }: Union, value: unknown): Reading {
    const readings: Reading[] = []
    for (const option of options) {
      this.#misfits = 0
      const read = this.read(option, value)
      readings.push({ value: read, misfits: this.#misfits })
      if (this.#misfits === 0 && (this.#partial || accepts === undefined)) break
    }
    const least = Math.min(...readings.map(({ misfits }) => misfits))
    const best = readings.filter(({ misfits }) => misfits === least)
    const first = best[0]!
    const work = this.#work
    if (work === undefined || accepts === undefined || best.every(({ value }) => value === first.value)) return first
    return best.find((reading) => accepts(readings.indexOf(reading), reading.value, work)) ?? first
  }
}

/** Whether Zod takes the absence of a key of this form. */
function isOmittable(node: AnswerNode): boolean {
  return node === ABSENT || (node.kind === "union" && node.options.some(isOmittable))
}

/** The items of a tuple in order; those at the end that are absent are left out. */
function listOf(fields: Map<string, AnswerNode>, object: Record<string, unknown>, partial: boolean): unknown[] {
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
