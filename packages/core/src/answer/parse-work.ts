import type { ZodDef, ZodSchema } from "./schema/zod-schema"

/** Zod may visit `VISITS` values for any answer, and `VISITS_PER_CHARACTER` more for each character of its text. */
const VISITS = 100_000
const VISITS_PER_CHARACTER = 20

type Part = [schema: ZodSchema, value: unknown]

/**
 * Bounds Zod's work for one answer. Zod tries each option of a union from the start, so it may visit a value inside n nested
 * unions 2^n times, and an answer of a kilobyte could block a server for hours. The maximum number of visits is computed
 * before Zod is called, once for each pair of a schema and an object.
 */
export class ParseWork {
  readonly #visits = new Map<ZodSchema, Map<object, number>>()
  #remaining: number

  /** @param characters length of the answer's text */
  constructor(characters: number) {
    this.#remaining = VISITS + VISITS_PER_CHARACTER * characters
  }

  /** @throws RangeError if parsing the value might take more than remains */
  spend(schema: ZodSchema, value: unknown): void {
    this.#remaining -= this.#visitsOf(schema, value)
    if (this.#remaining < 0) throw new RangeError()
  }

  /** Whether Zod accepts a value; also true if only the asynchronous parse can decide. */
  accepts(schema: ZodSchema, value: unknown): boolean {
    this.spend(schema, value)
    try {
      return schema.safeParse(value).success
    } catch {
      // The schema's own code threw or is asynchronous: the final parse reports it.
      return true
    }
  }

  #visitsOf(schema: ZodSchema, value: unknown): number {
    if (typeof value !== "object" || value === null) return this.#sumOfParts(schema, value)
    const visits = this.#visits.get(schema) ?? new Map<object, number>()
    const count = visits.get(value) ?? this.#sumOfParts(schema, value)
    this.#visits.set(schema, visits.set(value, count))
    return count
  }

  #sumOfParts(schema: ZodSchema, value: unknown): number {
    return partsOf(schema, value).reduce((sum, [part, inner]) => sum + this.#visitsOf(part, inner), 1)
  }
}

/** The schemas that Zod applies to a value, each with the part of the value that it parses. */
function partsOf({ _zod: { def, innerType = def.innerType } }: ZodSchema, value: unknown): Part[] {
  const { left, right, in: source, out, shape, items, keyType } = def
  const parts = [left, right, source, out, innerType, ...optionsFor(def, value)].map(
    (part): [ZodSchema | null | undefined, unknown] => [part, value],
  )
  for (const [key, item] of entriesOf(value, def.type))
    parts.push(
      [keyType, key],
      [shape?.[key as string] ?? items?.[key as number] ?? def.rest ?? def.element ?? def.valueType, item],
    )
  return parts.filter(([schema]) => schema?._zod) as Part[]
}

/** The parts of a value, if the value has the type of the schema. */
function entriesOf(value: unknown, type: string): Iterable<[unknown, unknown]> {
  if (typeof value !== "object" || value === null) return []
  if (value instanceof Map || value instanceof Set) return /set|map/.test(type) ? value.entries() : []
  if (Array.isArray(value)) return /array|tuple/.test(type) ? value.entries() : []
  return /object|record/.test(type) ? Object.entries(value) : []
}

/** The options of a union; for a discriminated union, only those that its key selects. */
function optionsFor({ discriminator: key, options = [], unionFallback }: ZodDef, value: unknown): ZodSchema[] {
  if (key === undefined || unionFallback) return options
  const kind = (value as Record<string, unknown> | null | undefined)?.[key]
  return options.filter(({ _zod: { propValues } }) => propValues?.[key]?.has(kind) ?? true)
}
