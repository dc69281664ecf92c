import { plausibleString } from "./plausible-data"
import type { Random } from "./random"

type Schema = Record<string, unknown>

interface Context {
  root: Schema
  random: Random
  /** The subject of the prompt. */
  subject: string
  depth: number
}

/** Data that matches a JSON Schema, with plausible values for the names of the properties. */
export function dataForSchema(schema: Schema, options: { random: Random; subject: string }): unknown {
  return fit(schema, "", { root: schema, depth: 0, ...options })
}

function fit(schema: Schema, name: string, context: Context): unknown {
  const resolved = resolve(schema, context)
  if ("const" in resolved) return resolved.const
  if (Array.isArray(resolved.enum)) return context.random.pick(resolved.enum)
  const choices = (resolved.anyOf ?? resolved.oneOf) as Schema[] | undefined
  if (choices !== undefined) return fit(choose(choices, context), name, context)
  if (Array.isArray(resolved.allOf)) return fit(Object.assign({}, ...(resolved.allOf as Schema[])), name, context)
  const types = Array.isArray(resolved.type) ? resolved.type.filter((type) => type !== "null") : [resolved.type]
  switch (types[0]) {
    case "object":
      return fitObject(resolved, context)
    case "array":
      return fitArray(resolved, name, context)
    case "integer":
    case "number":
      return fitNumber(resolved, name, types[0] === "integer", context)
    case "boolean":
      return context.random.below(2) === 1
    case "null":
      return null
    case "string":
      return fitString(resolved, name, context)
    default:
      return resolved.properties === undefined ? plausibleString(name, context) : fitObject(resolved, context)
  }
}

function resolve(schema: Schema, context: Context): Schema {
  let current = schema
  for (let hops = 0; typeof current.$ref === "string" && hops < 20; hops++) {
    const path = current.$ref.replace(/^#\/?/, "").split("/").filter(Boolean)
    let target: unknown = context.root
    for (const step of path) target = (target as Schema | undefined)?.[step.replaceAll("~1", "/").replaceAll("~0", "~")]
    current = (target ?? {}) as Schema
  }
  return current
}

/** The first option that is not null; deep in the schema the smallest one, so that recursive schemas end. */
function choose(choices: Schema[], context: Context): Schema {
  const isNull = (choice: Schema) => resolve(choice, context).type === "null"
  if (context.depth > 3) {
    const end = choices.find((choice) => isNull(choice)) ?? choices.find((choice) => !("$ref" in choice))
    if (end !== undefined) return end
  }
  return choices.find((choice) => !isNull(choice)) ?? choices[0] ?? {}
}

function fitObject(schema: Schema, context: Context): Record<string, unknown> {
  const deeper = { ...context, depth: context.depth + 1 }
  const entries = Object.entries((schema.properties ?? {}) as Record<string, Schema>)
  const object: Record<string, unknown> = {}
  for (const [key, value] of entries)
    Object.defineProperty(object, key, { value: fit(value, key, deeper), enumerable: true, configurable: true })
  if (entries.length === 0 && typeof schema.additionalProperties === "object")
    object[context.subject] = fit(schema.additionalProperties as Schema, "value", deeper)
  return object
}

function fitArray(schema: Schema, name: string, context: Context): unknown[] {
  const deeper = { ...context, depth: context.depth + 1 }
  if (Array.isArray(schema.prefixItems))
    return (schema.prefixItems as Schema[]).map((item) => fit(item, singular(name), deeper))
  const minItems = Number(schema.minItems ?? 0)
  const wanted = Math.min(
    Math.max(minItems, context.depth > 3 ? 0 : 3),
    Number(schema.maxItems ?? Number.POSITIVE_INFINITY),
  )
  const items: unknown[] = []
  const seen = new Set<string>()
  for (let tries = 0; items.length < wanted && tries < wanted * 8; tries++) {
    const item = fit((schema.items ?? {}) as Schema, singular(name), deeper)
    const key = JSON.stringify(item)
    if (seen.has(key) && tries < wanted * 4) continue
    seen.add(key)
    items.push(item)
  }
  return items
}

function fitNumber(schema: Schema, name: string, integer: boolean, context: Context): number {
  const usual: Record<string, [number, number]> = {
    age: [18, 80],
    year: [1990, 2025],
    rating: [1, 5],
    score: [1, 10],
    count: [1, 20],
  }
  const [usualLow, usualHigh] = usual[name.toLowerCase()] ?? [1, 100]
  const open = integer ? 1 : Number.EPSILON
  const low = Number(
    schema.minimum ?? (schema.exclusiveMinimum === undefined ? usualLow : Number(schema.exclusiveMinimum) + open),
  )
  const high = Number(
    schema.maximum ??
      (schema.exclusiveMaximum === undefined ? Math.max(usualHigh, low) : Number(schema.exclusiveMaximum) - open),
  )
  const from = Math.max(low, Math.min(usualLow, high))
  const to = Math.max(from, Math.min(high, usualHigh))
  const step = Number(schema.multipleOf ?? 1)
  if (integer) return Math.ceil((from + context.random.below(Math.floor(to - from) + 1)) / step) * step
  return Math.round((from + ((to - from) * context.random.below(101)) / 100) * 100) / 100
}

function fitString(schema: Schema, name: string, context: Context): string {
  switch (schema.format) {
    case "date":
      return `20${context.random.between(10, 25)}-0${context.random.between(1, 9)}-${context.random.between(10, 28)}`
    case "date-time":
      return `20${context.random.between(10, 25)}-0${context.random.between(1, 9)}-${context.random.between(10, 28)}T09:30:00Z`
    case "time":
      return "09:30:00"
    case "duration":
      return "P3D"
    case "email":
      return plausibleString("email", context)
    case "uri":
      return plausibleString("url", context)
    case "uuid":
      return `00000000-0000-4000-8000-${String(context.random.below(1e12)).padStart(12, "0")}`
    case "ipv4":
      return "192.0.2.1"
    case "ipv6":
      return "2001:db8::1"
    case "hostname":
      return "example.org"
  }
  if (typeof schema.pattern === "string" && /^\^?-?\??\\d\+\$?$|\[0-9\]|\\d/.test(schema.pattern))
    return String(context.random.between(1, 99))
  const text = plausibleString(name, context).padEnd(Number(schema.minLength ?? 0), ".")
  return schema.maxLength === undefined ? text : text.slice(0, Number(schema.maxLength))
}

function singular(name: string): string {
  return name.replace(/ies$/, "y").replace(/s$/, "")
}
