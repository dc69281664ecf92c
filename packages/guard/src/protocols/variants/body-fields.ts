import { shownField } from "../identifier"
import type { Rejection } from "../protocol"
import { rejected, unbounded } from "../rejection"

/** A field that is rejected, for all values or for some. */
export interface RejectedField {
  because: string
  remedy: string
  /** @defaultValue every value */
  when?(value: unknown): boolean
}

/** The fields of a request body that are understood. A field that is in no table is rejected by name. */
export interface BodyFields {
  /** Fields that cannot raise the cost. */
  free?: ReadonlySet<string>
  /** Fields that the description reads. */
  read?: ReadonlySet<string>
  /** Fields that may reach the model as input: twice the tokens of their JSON is the bound. */
  counted?: ReadonlySet<string>
  rejected?: Readonly<Record<string, RejectedField>>
}

/** Splits a list of names. */
export function words(names: string): ReadonlySet<string> {
  return new Set(names.split(" "))
}

/** Checks the fields of a body against the tables; the first table that has a field decides. */
export function checkFields(
  body: Readonly<Record<string, unknown>>,
  tables: readonly BodyFields[],
  path = "",
): Rejection | undefined {
  for (const [name, value] of Object.entries(body)) {
    if (value === null || value === undefined) continue
    const table = tables.find((each) => hasField(each, name))
    if (table === undefined) {
      const meant = otherSpelling(name, tables)
      return unknownField(`${path}${name}`, meant === undefined ? {} : { remedy: `Did you mean \`${meant}\`?` })
    }
    const rule = ruleOf(table, name)
    if (rule !== undefined && (rule.when?.(value) ?? true))
      return unbounded(`\`${path}${name}\``, rule.because, rule.remedy)
  }
  return undefined
}

export function unknownField(path: string, { place = "in the body", remedy = "Omit it." } = {}): Rejection {
  return rejected("unknown-field", `Unknown field ${shownField(path)} ${place}: it may change the cost. ${remedy}`)
}

/** A known field that differs from the name only in case and underscores. */
function otherSpelling(name: string, tables: readonly BodyFields[]): string | undefined {
  const form = (field: string) => field.replaceAll("_", "").toLowerCase()
  const known = tables.flatMap(({ free = [], read = [], counted = [] }) => [...free, ...read, ...counted])
  return known.find((field) => form(field) === form(name))
}

/** The JSON of the fields that may reach the model as input. */
export function countedFields(body: Readonly<Record<string, unknown>>, tables: readonly BodyFields[]): string[] {
  return Object.entries(body).flatMap(([name, value]) =>
    value !== null && value !== undefined && tables.some(({ counted }) => counted?.has(name))
      ? [JSON.stringify({ [name]: value })]
      : [],
  )
}

function hasField(table: BodyFields, name: string): boolean {
  const { free, read, counted } = table
  return free?.has(name) || read?.has(name) || counted?.has(name) || ruleOf(table, name) !== undefined
}

function ruleOf({ rejected: rules }: BodyFields, name: string): RejectedField | undefined {
  return rules !== undefined && Object.hasOwn(rules, name) ? rules[name] : undefined
}
