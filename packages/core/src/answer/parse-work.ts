import type { ZodDef, ZodSchema } from "./zod-schema"

/** Values that Zod may look at: so many for any answer, and so many more for each character of its text. */
const VISITS = 100_000
const VISITS_PER_CHARACTER = 20

type Part = [schema: ZodSchema, value: unknown]

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
function partsOf({ _zod: { def, innerType = def.innerType } }: ZodSchema, value: unknown): Part[] {
  const { type } = def
  const each = (items: Iterable<unknown>, schema: ZodSchema | null | undefined) =>
    schema ? Array.from(items, (item): Part => [schema, item]) : []
  const same = [def.left, def.right, def.in, def.out, innerType, ...(type === "union" ? optionsFor(def, value) : [])]
  const parts = same.flatMap((schema) => each([value], schema))
  if (typeof value !== "object" || value === null) return parts
  if (value instanceof Map)
    return type === "map" ? [...each(value.keys(), def.keyType), ...each(value.values(), def.valueType)] : parts
  if (value instanceof Set) return type === "set" ? each(value, def.valueType) : parts
  if (Array.isArray(value)) {
    if (type === "array") return each(value, def.element)
    return type === "tuple" ? value.flatMap((item, index) => each([item], def.items[index] ?? def.rest)) : parts
  }
  if (type === "record") return each(Object.values(value), def.valueType)
  if (type !== "object") return parts
  return Object.entries(def.shape).map(([key, part]) => [part, (value as Record<string, unknown>)[key]])
}

/** All options, but for a union that looks at one key first. */
function optionsFor({ discriminator: key, options, unionFallback }: ZodDef, value: unknown): ZodSchema[] {
  if (key === undefined || unionFallback) return options
  const kind = (value as Record<string, unknown> | null | undefined)?.[key]
  return options.filter(({ _zod: { propValues } }) => propValues?.[key]?.has(kind) ?? true)
}
