import type { ZodDef, ZodSchema } from "./schema/zod-schema"

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
    if (this.#left < 0) throw new RangeError()
  }

  /** Whether Zod takes a value, as far as it says so at once. */
  accepts(schema: ZodSchema, value: unknown): boolean {
    this.spend(schema, value)
    try {
      return schema.safeParse(value).success
    } catch {
      // The schema's own code threw, or is asynchronous: Zod will tell at the end.
      return true
    }
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

/** The parts of a value, when it is of the kind that the type is for. */
function entriesOf(value: unknown, type: string): Iterable<[unknown, unknown]> {
  if (typeof value !== "object" || value === null) return []
  if (value instanceof Map || value instanceof Set) return /set|map/.test(type) ? value.entries() : []
  if (Array.isArray(value)) return /array|tuple/.test(type) ? value.entries() : []
  return /object|record/.test(type) ? Object.entries(value) : []
}

/** All options, but for a union that looks at one key first. */
function optionsFor({ discriminator: key, options = [], unionFallback }: ZodDef, value: unknown): ZodSchema[] {
  if (key === undefined || unionFallback) return options
  const kind = (value as Record<string, unknown> | null | undefined)?.[key]
  return options.filter(({ _zod: { propValues } }) => propValues?.[key]?.has(kind) ?? true)
}
