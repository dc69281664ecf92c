import fc from "fast-check"

type Json = Record<string, unknown>

/** Strings for the formats and patterns that the sent schemas may require. */
const FORMATS: Record<string, fc.Arbitrary<string>> = {
  "date-time": fc
    .date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) })
    .map((date) => date.toISOString()),
  date: fc
    .date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) })
    .map((date) => date.toISOString().slice(0, 10)),
  email: fc.constant("a@example.com"),
  uuid: fc.uuid({ version: 4 }),
}

/** Any value that fits a strict JSON Schema: what a provider may send. */
export function arbitraryAnswer(root: Json, schema: Json = root, depth = 0): fc.Arbitrary<unknown> {
  if (typeof schema.$ref === "string") return arbitraryAnswer(root, resolve(root, schema.$ref), depth + 1)
  if (Array.isArray(schema.anyOf)) {
    // Deep inside, the option that ends soonest.
    const options = depth > 6 ? [shallowest(schema.anyOf)] : schema.anyOf
    return fc.oneof(...options.map((option) => arbitraryAnswer(root, option, depth)))
  }
  if (Array.isArray(schema.enum)) return fc.constantFrom(...schema.enum)
  if (Array.isArray(schema.type))
    return fc.oneof(...schema.type.map((type) => arbitraryAnswer(root, { ...schema, type }, depth)))
  switch (schema.type) {
    case "null":
      return fc.constant(null)
    case "boolean":
      return fc.boolean()
    case "integer":
    case "number":
      return arbitraryNumber(schema)
    case "string":
      return arbitraryText(schema)
    case "array": {
      const minLength = (schema.minItems as number | undefined) ?? 0
      const maxLength = depth > 6 ? minLength : ((schema.maxItems as number | undefined) ?? minLength + 3)
      const item = maxLength === 0 ? fc.constant(null) : arbitraryAnswer(root, schema.items as Json, depth + 1)
      return fc.array(item, { minLength, maxLength })
    }
    case "object": {
      const properties = Object.entries(schema.properties as Record<string, Json>)
      const parts = properties.map(([key, value]) => [key, arbitraryAnswer(root, value, depth + 1)] as const)
      return fc.tuple(...parts.map(([, part]) => part)).map((values) => {
        return Object.fromEntries(values.map((value, index) => [parts[index]![0], value]))
      })
    }
    default:
      throw new Error(`No value for ${JSON.stringify(schema)}`)
  }
}

function arbitraryNumber(schema: Json): fc.Arbitrary<number> {
  const min = Number(schema.minimum ?? -1e6)
  const max = Number(schema.maximum ?? 1e6)
  if (schema.type === "integer") return fc.integer({ min, max })
  return fc.double({ min, max, noNaN: true }).map((value) => value + 0)
}

function arbitraryText(schema: Json): fc.Arbitrary<string> {
  if (schema.format !== undefined) {
    const format = FORMATS[schema.format as string]
    if (format === undefined) throw new Error(`No text for the format ${schema.format}`)
    return format
  }
  if (schema.pattern !== undefined) return fc.stringMatching(new RegExp(schema.pattern as string))
  return fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 })
}

function resolve(root: Json, reference: string): Json {
  if (reference === "#") return root
  const name = reference.replace("#/$defs/", "")
  return (root.$defs as Record<string, Json>)[name]!
}

function shallowest(options: Json[]): Json {
  const rank = (option: Json) =>
    ["null", "string", "number", "boolean", "integer", "array"].indexOf(String(option.type))
  return [...options].sort((a, b) => ((rank(a) + 10) % 10) - ((rank(b) + 10) % 10))[0]!
}
