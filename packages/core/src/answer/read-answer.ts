import { isRecord } from "../json"
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

/** Appended to an unfinished string: a lone surrogate, which never ends a complete string. */
export const UNFINISHED = "\uD800"

interface Pair extends Record<string, unknown> {
  key: string
  value?: unknown
}

/** The value that a node read, and how badly the JSON value fits the node. */
interface Reading {
  value: unknown
  misfits: number
}

/**
 * Weights of misfits: a value where only `null` is valid; a wrong value; a correct value in its natural form or incomplete.
 */
const NEVER = 1e6
const WRONG = 2
const ODD = 1

/**
 * Converts an answer to the input of the user's schema: nulls that represent absence are removed, entries become records
 * and maps, digits become bigints. A value that does not fit stays as it is, so that Zod reports it. It is also counted, so
 * that a union can choose the option that fits best.
 *
 * Also reads the natural form of a value (a record as an object, a tuple as an array, an absent key), because providers
 * without strict mode send it.
 */
export class AnswerReader {
  #misfits = 0
  /** The reading of each object by each union, so that nested unions take linear time. */
  readonly #chosen = new Map<AnswerNode, Map<unknown, Reading>>()
  readonly #work: ParseWork | undefined
  readonly #partial: boolean

  /** @param work bounds the calls to Zod. If it is undefined, the value is unfinished and incomplete parts are omitted. */
  constructor(work: ParseWork | undefined) {
    this.#work = work
    this.#partial = work === undefined
  }

  /** Reads a whole answer. */
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
      // A union prefers an option that can show the beginning to one that needs the whole string.
      return this.#misfit(value, json.type === "string" ? ODD : WRONG)
    }
    if (json.enum !== undefined && !(json.enum as unknown[]).includes(value)) return this.#misfit(value)
    const result = read !== undefined ? read(value) : isOfType(value, json.type) ? value : MISFIT
    return result === MISFIT ? this.#misfit(value) : result
  }

  #fields({ fields, tuple }: Fields, json: unknown): unknown {
    const value = tuple && Array.isArray(json) ? this.#tupleOf(fields, json) : json
    if (!isRecord(value)) return this.#misfit(value)
    const entries: [string, unknown][] = []
    for (const key of Object.keys(value)) {
      const field = fields.get(key)
      const read = field === undefined ? this.#misfit(value[key]) : this.#read(field, value[key])
      if (read !== NOTHING) entries.push([key, read])
      // Without this, an absent `toString` would be read from the prototype.
      else if (key in Object.prototype && !this.#partial) entries.push([key, undefined])
    }
    for (const [key, field] of fields)
      if (!this.#partial && !Object.hasOwn(value, key) && !isOmittable(field))
        entries.push([key, this.#misfit(undefined)])
    const result = Object.fromEntries(entries)
    return tuple ? listOf(fields, result) : result
  }

  /** Converts a tuple from its natural form to the object on the wire. */
  #tupleOf(fields: Map<string, AnswerNode>, list: unknown[]): Record<string, unknown> {
    this.#misfit(list, ODD)
    const size = fields.has("rest") ? fields.size - 1 : fields.size
    const entries = list.slice(0, size).map((item, index) => [`item${index + 1}`, item])
    // Extra items are kept, so that Zod rejects them.
    if (list.length > size || size < fields.size) entries.push(["rest", list.slice(size)])
    return Object.fromEntries(entries)
  }

  #list({ as, item }: List, json: unknown): unknown {
    let value = json
    if (as === "record" && isRecord(json)) {
      this.#misfit(json, ODD)
      value = Object.entries(json).map(([key, part]) => ({ key, value: part }))
    }
    if (!Array.isArray(value)) return this.#misfit(json)
    const read = value.map((part) => this.#read(item, part))
    const items = this.#partial ? read.filter((part) => part !== NOTHING) : read.map(orUndefined)
    if (as === "array") return items
    if (as === "set") return new Set(items)
    const pairs = items.filter(
      (part): part is Pair => isRecord(part) && (!this.#partial || ("key" in part && "value" in part)),
    )
    if (pairs.length < items.length && !this.#partial) return this.#misfit(json)
    // An absent value is undefined in a map, and is omitted from a record.
    const entries = pairs
      .filter((pair) => as === "map" || "value" in pair)
      .map(({ key, value }) => [key, value] as const)
    if (as === "map") return new Map(entries)
    // Converting an object to a key calls its `toString`, which the answer may define.
    return entries.some(([key]) => typeof key === "object") ? this.#misfit(json) : Object.fromEntries(entries)
  }

  #union(node: Union & AnswerNode, value: unknown): unknown {
    const before = this.#misfits
    const readings = this.#chosen.get(node) ?? new Map<unknown, Reading>()
    const best = readings.get(value) ?? this.#choose(node, value)
    if (typeof value === "object") this.#chosen.set(node, readings.set(value, best))
    this.#misfits = before + best.misfits
    return best.value
  }

  /** Returns the reading of the option that fits best; if several fit equally well, of the first that Zod accepts. */
  #choose({ options, schemas }: Union, value: unknown): Reading {
    const readings: Reading[] = []
    for (const option of options) {
      this.#misfits = 0
      const read = this.#read(option, value)
      readings.push({ value: read, misfits: this.#misfits })
      if (this.#misfits === 0 && (this.#partial || schemas === undefined)) break
    }
    const lowest = Math.min(...readings.map(({ misfits }) => misfits))
    const best = readings.filter(({ misfits }) => misfits === lowest)
    const first = best[0]!
    const work = this.#work
    if (work === undefined || schemas === undefined || best.every(({ value }) => value === first.value)) return first
    return best.find((reading) => work.accepts(schemas[readings.indexOf(reading)]!, reading.value)) ?? first
  }
}

/** Whether Zod accepts the absence of a key with this node. */
function isOmittable(node: AnswerNode): boolean {
  return node === ABSENT || (node.kind === "union" && node.options.some(isOmittable))
}

/** The items of a tuple in order, without absent items at the end. */
function listOf(fields: Map<string, AnswerNode>, object: Record<string, unknown>): unknown[] {
  const rest = Array.isArray(object.rest) ? object.rest : []
  const keys = [...fields.keys()].filter((key) => key !== "rest")
  if (rest.length === 0) keys.length = keys.findLastIndex((key) => Object.hasOwn(object, key)) + 1
  return [...keys.map((key) => object[key]), ...rest]
}

function orUndefined(value: unknown): unknown {
  return value === NOTHING ? undefined : value
}

function isOfType(value: unknown, type: unknown): boolean {
  if (type === "null") return value === null
  return type === "integer" ? Number.isInteger(value) : typeof value === type
}
