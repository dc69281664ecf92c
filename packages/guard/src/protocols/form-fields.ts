import { isRecord } from "@p2/core"
import type { ProviderCall } from "./protocol"

/** The fields of a body that is a JSON object or a form; undefined: it is neither. */
export function fieldsOfBody(body: ProviderCall["body"]): Readonly<Record<string, unknown>> | undefined {
  if (body.kind === "json") return body.value
  return body.kind === "form" ? formFields(body.value) : undefined
}

/**
 * The fields of a form. A name that occurs more than once, or ends with `[]`, has an array: servers disagree which one of
 * several values counts, so a field with one value is invalid then.
 */
function formFields(form: FormData): Record<string, unknown> {
  const fields: Record<string, unknown> = Object.create(null)
  for (const [name, value] of form as unknown as Iterable<[string, string | Blob]>) {
    const isList = name.endsWith("[]")
    const key = isList ? name.slice(0, -2) : name
    const earlier = fields[key]
    if (earlier === undefined) fields[key] = isList ? [value] : value
    else fields[key] = [earlier, value].flat()
  }
  return fields
}

/** The integer of a field; a form has it as a string. Undefined: the field is absent. `invalid`: it is no integer. */
export function integerField(value: unknown): number | undefined | "invalid" {
  if (value === undefined || value === null) return undefined
  const number = typeof value === "string" && /^\d{1,15}$/.test(value) ? Number(value) : value
  return typeof number === "number" && Number.isSafeInteger(number) ? number : "invalid"
}

/** Whether a field switches something on; a form has a boolean as a string. */
export function isSwitchedOn(value: unknown): boolean {
  return value !== undefined && value !== null && value !== false && value !== "" && !/^(false|0)$/i.test(String(value))
}

/** Files and objects in a field that may have one or several. */
export function itemsOf(value: unknown): unknown[] {
  return [value ?? []].flat()
}

export function isFile(value: unknown): value is Blob {
  return isRecord(value) && typeof (value as unknown as Blob).arrayBuffer === "function"
}
