/**
 * Keywords of strict mode. Source: OpenAI, "Structured model outputs", section "Supported schemas",
 * https://platform.openai.com/docs/guides/structured-outputs#supported-schemas, as recorded for February 2026 by
 * https://jsonschemaprofiles.unitvectorylabs.com/schemas/openai
 */
const KEYWORDS: Record<string, readonly string[]> = {
  string: ["enum", "pattern", "format"],
  number: ["enum", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
  integer: ["enum", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
  boolean: ["enum"],
  null: [],
  array: ["items", "minItems", "maxItems"],
  object: ["properties", "required", "additionalProperties", "$defs"],
}
const STRICT_FORMATS = ["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"]

type Json = Record<string, unknown>

/** What strict mode would reject in a schema; empty if it accepts it. */
export function strictViolations(root: Json): string[] {
  const found: string[] = []
  if (root.type !== "object") found.push("the root is not an object")
  for (const [name, definition] of Object.entries((root.$defs ?? {}) as Record<string, Json>))
    visit(definition, `$defs.${name}`)
  visit(root, "#")
  return found

  function visit(schema: Json, path: string): void {
    const keys = Object.keys(schema).filter((key) => key !== "description")
    if (schema.$ref !== undefined) {
      if (Object.keys(schema).length > 1) found.push(`${path}: $ref with neighbors`)
      const name = String(schema.$ref).replace("#/$defs/", "")
      if (schema.$ref !== "#" && !Object.hasOwn((root.$defs ?? {}) as Json, name)) found.push(`${path}: dangling $ref`)
      return
    }
    if (schema.anyOf !== undefined) {
      if (keys.length > 1) found.push(`${path}: anyOf with neighbors`)
      for (const [index, option] of (schema.anyOf as Json[]).entries()) visit(option, `${path}.anyOf[${index}]`)
      return
    }
    const types = [schema.type].flat().map(String)
    const allowed = new Set(types.flatMap((type) => KEYWORDS[type] ?? []))
    for (const key of keys) if (key !== "type" && !allowed.has(key)) found.push(`${path}: keyword ${key}`)
    if (schema.format !== undefined && !STRICT_FORMATS.includes(String(schema.format)))
      found.push(`${path}: format ${schema.format}`)
    if (types.includes("array")) visit(schema.items as Json, `${path}[]`)
    if (!types.includes("object")) return
    const properties = schema.properties as Record<string, Json>
    if (schema.additionalProperties !== false) found.push(`${path}: additional properties`)
    if (JSON.stringify(schema.required) !== JSON.stringify(Object.keys(properties))) found.push(`${path}: required`)
    for (const [key, value] of Object.entries(properties)) visit(value, `${path}.${key}`)
  }
}
