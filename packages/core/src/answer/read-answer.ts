import type { ParseWork } from "./parse-work"
import {
  ABSENT,
  type AnswerNode,
  type Fields,
  type Leaf,
  type List,
  MISFIT,
  NOTHING,
  type Union,
} from "./schema/answer-node"

/** Stands behind a text whose end has not come yet: half a character, which no text has there that is shown. */
export const UNFINISHED = "\uD800"

interface Pair extends Record<string, unknown> {
  key: string
  value?: unknown
}

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

  /** What is read at the root, where nothing is undefined. */
  root(node: AnswerNode, value: unknown): unknown {
    return orUndefined(this.#read(node, value))
  }

  #read(node: AnswerNode, value: unknown): unknown {
    if (node.kind === "leaf") return this.#leaf(node, value)
    if (node.kind === "fields") return this.#fields(node, value)
    if (node.kind === "list") return this.#list(node, value)
    return node.hidden && this.#partial ? NOTHING : this.#union(node, value)
  }

  #misfit(value: unknown, weight = WRONG): unknown {
    this.#misfits += weight
    return this.#partial ? NOTHING : value
  }

  #leaf({ json, read, prefixes }: Leaf, value: unknown): unknown {
    if (json.type === "null" && value !== null) return this.#misfit(value, NEVER)
    if (this.#partial && typeof value === "string" && value.endsWith(UNFINISHED)) {
      if (prefixes && json.type === "string") return value.slice(0, -1)
      // In a union, an option that can show the beginning is preferred to one that must wait for the end.
      return this.#misfit(value, json.type === "string" ? ODD : WRONG)
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
      const read = field === undefined ? this.#misfit(value[key]) : this.#read(field, value[key])
      if (read !== NOTHING) entries.push([key, read])
      // An absent `toString` would be looked up in the prototype, so its absence is written down.
      else if (key in Object.prototype && !this.#partial) entries.push([key, undefined])
    }
    for (const [key, field] of fields)
      if (!this.#partial && !Object.hasOwn(value, key) && !isOmittable(field))
        entries.push([key, this.#misfit(undefined)])
    const result = Object.fromEntries(entries)
    return tuple ? listOf(fields, result) : result
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
    const read = value.map((part) => this.#read(item, part))
    const items = this.#partial ? read.filter((part) => part !== NOTHING) : read.map(orUndefined)
    if (as === "array") return items
    if (as === "set") return new Set(items)
    const pairs = items.filter(
      (part): part is Pair => isObject(part) && (!this.#partial || ("key" in part && "value" in part)),
    )
    if (pairs.length < items.length && !this.#partial) return this.#misfit(given)
    // In a map, what is absent is undefined; a record has no such entry.
    const entries = pairs
      .filter((pair) => as === "map" || "value" in pair)
      .map(({ key, value }) => [key, value] as const)
    if (as === "map") return new Map(entries)
    // An object as a key would be asked for its name, and throw where the answer says what its `toString` is.
    return entries.some(([key]) => typeof key === "object") ? this.#misfit(given) : Object.fromEntries(entries)
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
  #choose({ options, schemas }: Union, value: unknown): Reading {
    const readings: Reading[] = []
    for (const option of options) {
      this.#misfits = 0
      const read = this.#read(option, value)
      readings.push({ value: read, misfits: this.#misfits })
      if (this.#misfits === 0 && (this.#partial || schemas === undefined)) break
    }
    const least = Math.min(...readings.map(({ misfits }) => misfits))
    const best = readings.filter(({ misfits }) => misfits === least)
    const first = best[0]!
    const work = this.#work
    if (work === undefined || schemas === undefined || best.every(({ value }) => value === first.value)) return first
    return best.find((reading) => work.accepts(schemas[readings.indexOf(reading)]!, reading.value)) ?? first
  }
}

/** Whether Zod takes the absence of a key of this form. */
function isOmittable(node: AnswerNode): boolean {
  return node === ABSENT || (node.kind === "union" && node.options.some(isOmittable))
}

/** The items of a tuple in order, but for those that are absent at its end. */
function listOf(fields: Map<string, AnswerNode>, object: Record<string, unknown>): unknown[] {
  const rest = Array.isArray(object.rest) ? object.rest : []
  const keys = [...fields.keys()].filter((key) => key !== "rest")
  if (rest.length === 0) keys.length = keys.findLastIndex((key) => Object.hasOwn(object, key)) + 1
  return [...keys.map((key) => object[key]), ...rest]
}

function orUndefined(value: unknown): unknown {
  return value === NOTHING ? undefined : value
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

function isOfType(value: unknown, type: unknown): boolean {
  if (type === "null") return value === null
  return type === "integer" ? Number.isInteger(value) : typeof value === type
}
