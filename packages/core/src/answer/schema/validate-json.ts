import { isRecord } from "../../json"
import { UnsupportedSchemaError } from "../answer-errors"
import type { StandardIssue } from "./answer-model"
import type { JsonSchema } from "./answer-node"

type Path = readonly (string | number)[]
interface Issue extends StandardIssue {
  readonly path: Path
}

/** More issues than a repair needs. */
const MAX_ISSUES = 50

/** Keywords that are checked, and keywords that only describe. */
const CHECKED =
  "type enum const properties required additionalProperties patternProperties propertyNames minProperties maxProperties items prefixItems additionalItems minItems maxItems uniqueItems minLength maxLength pattern minimum maximum exclusiveMinimum exclusiveMaximum multipleOf anyOf oneOf allOf not $ref nullable"
const DESCRIBING =
  "$schema $id $comment $defs definitions title description default examples example deprecated readOnly writeOnly format contentEncoding contentMediaType"
const KNOWN: ReadonlySet<string> = /* @__PURE__ */ new Set(`${CHECKED} ${DESCRIBING}`.split(" "))

/** The value of a JSON Pointer such as `#/$defs/person`; undefined if there is none. */
export function atPointer(root: unknown, pointer: string): unknown {
  if (!pointer.startsWith("#")) return undefined
  const keys = pointer.slice(1).split("/").slice(1)
  return keys.reduce((value: unknown, key) => {
    const name = decodeURIComponent(key).replace(/~1/g, "/").replace(/~0/g, "~")
    return value !== null && typeof value === "object" && Object.hasOwn(value, name)
      ? (value as Record<string, unknown>)[name]
      : undefined
  }, root)
}

/** Throws for a keyword that {@link JsonValidator} would ignore, so that no constraint is dropped silently. */
export function checkKeywords(schema: unknown, path = "answer", seen = new Set<unknown>()): void {
  if (!isRecord(schema) || seen.has(schema)) return
  seen.add(schema)
  const unknown = Object.keys(schema).find((name) => !KNOWN.has(name))
  if (unknown !== undefined)
    throw new UnsupportedSchemaError(path, `the keyword \`${unknown}\``, "Remove it, or pass your own validator.")
  for (const name of ["properties", "patternProperties", "$defs", "definitions"])
    for (const [key, inner] of Object.entries(isRecord(schema[name]) ? schema[name] : {}))
      checkKeywords(inner, name === "properties" ? `${path}.${key}` : path, seen)
  for (const name of ["additionalProperties", "propertyNames", "items", "prefixItems", "additionalItems"])
    for (const inner of [schema[name]].flat()) checkKeywords(inner, `${path}[]`, seen)
  for (const name of ["anyOf", "oneOf", "allOf", "not"])
    for (const inner of [schema[name]].flat()) checkKeywords(inner, path, seen)
}

/** Validates a value against a JSON Schema (draft 2020-12 or 7). `format` only describes, as the specification allows. */
export class JsonValidator {
  readonly #root: JsonSchema
  /** The issues of each object by each schema, so that nested unions take linear time. */
  readonly #known = new Map<unknown, Map<unknown, readonly Issue[]>>()
  readonly #patterns = new Map<string, RegExp>()

  constructor(root: JsonSchema) {
    this.#root = root
  }

  /** The issues of the value; none if it is valid. */
  validate(value: unknown): readonly StandardIssue[] {
    return this.#issues(this.#root, value)
  }

  #issues(schema: unknown, value: unknown): readonly Issue[] {
    if (schema === false) return [issue("Expected no value.")]
    if (!isRecord(schema)) return []
    if (typeof value !== "object" || value === null) return this.#check(schema, value)
    const known = this.#known.get(schema) ?? new Map<unknown, readonly Issue[]>()
    const existing = known.get(value)
    if (existing !== undefined) return existing
    this.#known.set(schema, known)
    // A schema that refers to itself for the same value adds no constraint.
    known.set(value, [])
    const issues = this.#check(schema, value).slice(0, MAX_ISSUES)
    known.set(value, issues)
    return issues
  }

  #check(schema: JsonSchema, value: unknown): Issue[] {
    if (value === null && schema.nullable === true) return []
    const { type, enum: values } = schema
    const types = type === undefined ? undefined : [type].flat()
    if (types !== undefined && !types.some((each) => isOfType(value, each)))
      return [issue(`Expected ${types.join(" or ")}, got ${typeOf(value)}.`)]
    const issues: Issue[] = []
    if (typeof schema.$ref === "string") issues.push(...this.#issues(atPointer(this.#root, schema.$ref), value))
    if (Array.isArray(values) && !values.some((each) => isEqual(each, value)))
      issues.push(issue(`Expected one of ${shown(values)}.`))
    if ("const" in schema && !isEqual(schema.const, value)) issues.push(issue(`Expected ${shown([schema.const])}.`))
    issues.push(...this.#alternatives(schema, value))
    if (typeof value === "string") issues.push(...this.#string(schema, value))
    if (typeof value === "number") issues.push(...numberIssues(schema, value))
    if (Array.isArray(value)) issues.push(...this.#array(schema, value))
    else if (isRecord(value)) issues.push(...this.#object(schema, value))
    return issues
  }

  #alternatives({ anyOf, oneOf, allOf, not }: JsonSchema, value: unknown): readonly Issue[] {
    const issues: Issue[] = []
    for (const part of listOf(allOf)) issues.push(...this.#issues(part, value))
    for (const options of [anyOf, oneOf]) {
      if (!Array.isArray(options)) continue
      const results = options.map((option) => this.#issues(option, value))
      const fitting = results.filter((result) => result.length === 0).length
      if (fitting === 0) issues.push(...nearestOf(results))
      else if (options === oneOf && fitting > 1)
        issues.push(issue(`Expected a value of exactly one option, got one of ${fitting}.`))
    }
    if (not !== undefined && this.#issues(not, value).length === 0) issues.push(issue("Expected another value."))
    return issues
  }

  #string({ minLength, maxLength, pattern }: JsonSchema, value: string): Issue[] {
    const length = [...value].length
    const issues = boundIssues("characters", length, minLength, maxLength)
    if (typeof pattern === "string" && !this.#pattern(pattern).test(value))
      issues.push(issue(`Expected a string that matches ${pattern}.`))
    return issues
  }

  #array(schema: JsonSchema, value: readonly unknown[]): Issue[] {
    const { items, prefixItems, additionalItems, minItems, maxItems, uniqueItems } = schema
    const first = listOf(prefixItems ?? (Array.isArray(items) ? items : undefined))
    const rest = Array.isArray(items) ? additionalItems : items
    const issues = boundIssues("items", value.length, minItems, maxItems)
    for (const [index, item] of value.entries())
      issues.push(...within(index, this.#issues(index < first.length ? first[index] : (rest ?? true), item)))
    if (uniqueItems === true && new Set(value.map(canonical)).size < value.length)
      issues.push(issue("Expected distinct items."))
    return issues
  }

  #object(schema: JsonSchema, value: Record<string, unknown>): Issue[] {
    const { properties, patternProperties, additionalProperties = true, propertyNames, required } = schema
    const known = isRecord(properties) ? properties : {}
    const patterns = Object.entries(isRecord(patternProperties) ? patternProperties : {})
    const issues = boundIssues("properties", Object.keys(value).length, schema.minProperties, schema.maxProperties)
    for (const name of listOf(required))
      if (!Object.hasOwn(value, String(name))) issues.push({ ...issue("Expected a value."), path: [String(name)] })
    for (const [key, part] of Object.entries(value)) {
      const matching = patterns.filter(([pattern]) => this.#pattern(pattern).test(key)).map(([, inner]) => inner)
      const schemas = Object.hasOwn(known, key) ? [known[key], ...matching] : matching
      if (propertyNames !== undefined) issues.push(...within(key, this.#issues(propertyNames, key)))
      for (const inner of schemas.length > 0 ? schemas : [additionalProperties])
        issues.push(...within(key, this.#issues(inner, part)))
    }
    return issues
  }

  #pattern(source: string): RegExp {
    const pattern = this.#patterns.get(source) ?? patternOf(source)
    this.#patterns.set(source, pattern)
    return pattern
  }
}

function patternOf(source: string): RegExp {
  try {
    return new RegExp(source, "u")
  } catch {
    return new RegExp(source)
  }
}

function issue(message: string): Issue {
  return { message, path: [] }
}

function within(key: string | number, issues: readonly Issue[]): Issue[] {
  return issues.map(({ message, path }) => ({ message, path: [key, ...path] }))
}

/** The issues of the option that fits best: the fewest, those deeper inside first. */
function nearestOf(results: readonly (readonly Issue[])[]): readonly Issue[] {
  const weight = (issues: readonly Issue[]) =>
    (issues.some(({ path }) => path.length === 0) ? MAX_ISSUES : 0) + issues.length
  return [...results].sort((a, b) => weight(a) - weight(b))[0] ?? [issue("Expected another value.")]
}

function boundIssues(unit: string, count: number, minimum: unknown, maximum: unknown): Issue[] {
  if (typeof minimum === "number" && count < minimum)
    return [issue(`Expected at least ${minimum} ${unit}, got ${count}.`)]
  if (typeof maximum === "number" && count > maximum)
    return [issue(`Expected at most ${maximum} ${unit}, got ${count}.`)]
  return []
}

function numberIssues(schema: JsonSchema, value: number): Issue[] {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema
  // In OpenAPI 3.0 the exclusive bounds are marks of the others.
  const above = exclusiveMinimum === true ? minimum : exclusiveMinimum
  const below = exclusiveMaximum === true ? maximum : exclusiveMaximum
  const issues: Issue[] = []
  if (typeof minimum === "number" && value < minimum) issues.push(issue(`Expected at least ${minimum}.`))
  if (typeof maximum === "number" && value > maximum) issues.push(issue(`Expected at most ${maximum}.`))
  if (typeof above === "number" && value <= above) issues.push(issue(`Expected more than ${above}.`))
  if (typeof below === "number" && value >= below) issues.push(issue(`Expected less than ${below}.`))
  if (typeof multipleOf === "number" && !isMultiple(value, multipleOf))
    issues.push(issue(`Expected a multiple of ${multipleOf}.`))
  return issues
}

/** Compares the quotient with the nearest integer, because 0.3 / 0.1 is not exactly 3. */
function isMultiple(value: number, factor: number): boolean {
  const quotient = value / factor
  return Math.abs(quotient - Math.round(quotient)) <= Number.EPSILON * Math.max(1, Math.abs(quotient))
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function typeOf(value: unknown): string {
  if (value === null) return "null"
  return Array.isArray(value) ? "array" : typeof value
}

function isOfType(value: unknown, type: unknown): boolean {
  return type === "integer" ? Number.isInteger(value) : typeOf(value) === type
}

function shown(values: readonly unknown[]): string {
  return values
    .map((value) => JSON.stringify(value))
    .join(", ")
    .slice(0, 300)
}

/** JSON with sorted keys: equal for equal values. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    isRecord(part) ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1))) : part,
  )
}

function isEqual(a: unknown, b: unknown): boolean {
  return a === b || (typeof a === "object" && typeof b === "object" && canonical(a) === canonical(b))
}
