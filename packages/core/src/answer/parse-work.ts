import type { ZodSchema } from "./zod-schema"

/** Values that Zod may look at: so many for any answer, and so many more for each character of its text. */
const VISITS = 100_000
const VISITS_PER_CHARACTER = 20

/**
 * Bounds what Zod may do for one answer. Zod tries each option of a union from its beginning, so a value inside n
 * unions may be looked at 2^n times, and an answer of a kilobyte can hold a server for hours. How often at most is
 * counted before Zod is asked, once for each pair of a schema and an object.
 */
export class ParseWork {
  readonly #counts = new Map<ZodSchema, Map<object, number>>()
  #left: number

  /** @param characters of the answer's text. */
  constructor(characters: number) {
    this.#left = VISITS + VISITS_PER_CHARACTER * characters
  }

  /** @throws RangeError when parsing the value might take more than is left. */
  spend(schema: ZodSchema, value: unknown): void {
    this.#left -= this.#count(schema, value)
    if (this.#left < 0) throw new RangeError("The answer is nested in too many unions.")
  }

  #count(schema: ZodSchema, value: unknown): number {
    if (typeof value !== "object" || value === null) return this.#visits(schema, value)
    const known = this.#counts.get(schema) ?? new Map<object, number>()
    const count = known.get(value) ?? this.#visits(schema, value)
    this.#counts.set(schema, known.set(value, count))
    return count
  }

  #visits(schema: ZodSchema, value: unknown): number {
    return partsOf(schema, value).reduce((sum, [part, inner]) => sum + this.#count(part, inner), 1)
  }
}

/** What Zod parses for a value: each schema, with what it is given. */
function partsOf(schema: ZodSchema, value: unknown): (readonly [ZodSchema, unknown])[] {
  const { def } = schema._zod
  const same = (...schemas: ZodSchema[]) => schemas.map((part) => [part, value] as const)
  if (def.type === "union") return same(...optionsFor(schema, value))
  if (def.type === "intersection") return same(def.left, def.right)
  if (def.type === "pipe") return same(def.in, def.out)
  if (def.type === "lazy") return schema._zod.innerType === undefined ? [] : same(schema._zod.innerType)
  if (def.innerType !== undefined) return same(def.innerType)
  const entries = (pairs: Iterable<[unknown, unknown]>) =>
    [...pairs].flatMap(([key, item]) => [[def.keyType, key] as const, [def.valueType, item] as const])
  if (value instanceof Map) return def.type === "map" ? entries(value) : []
  if (value instanceof Set) return def.type === "set" ? [...value].map((item) => [def.valueType, item]) : []
  if (Array.isArray(value)) return itemsOf(schema, value)
  if (typeof value !== "object" || value === null) return []
  if (def.type === "record") return entries(Object.entries(value))
  if (def.type !== "object") return []
  return Object.entries(def.shape).map(([key, field]) => [field, (value as Record<string, unknown>)[key]])
}

function itemsOf({ _zod: { def } }: ZodSchema, list: unknown[]): (readonly [ZodSchema, unknown])[] {
  if (def.type === "array") return list.map((item) => [def.element, item])
  if (def.type !== "tuple") return []
  return list.flatMap((item, index) => {
    const part = def.items[index] ?? def.rest
    return part ? [[part, item] as const] : []
  })
}

/** All options, but for a union that looks at one key first. */
function optionsFor({ _zod: { def } }: ZodSchema, value: unknown): ZodSchema[] {
  const { discriminator: key, options } = def
  if (key === undefined || def.unionFallback) return options
  const kind = (value as Record<string, unknown> | null | undefined)?.[key]
  return options.filter(({ _zod: { propValues } }) => propValues?.[key]?.has(kind) ?? true)
}
