import { isRecord } from "@p2/core"
import type { FormFile, ProviderCall } from "./protocol"

/** Bytes of a file that are read: the header of an audio file. */
const HEAD_BYTES = 64

/** The fields of a body that is a JSON object or a form; undefined: it is neither. */
export function fieldsOfBody(body: ProviderCall["body"]): Readonly<Record<string, unknown>> | undefined {
  if (body.kind === "json") return body.value
  return body.kind === "form" ? body.fields : undefined
}

/**
 * The fields of a form. A name that occurs more than once, or ends with `[]`, has an array: servers disagree about
 * which of several values counts, so a field with one value is invalid then.
 */
export async function readForm(form: FormData): Promise<Record<string, unknown>> {
  const fields: Record<string, unknown> = Object.create(null)
  for (const [name, value] of form as unknown as Iterable<[string, string | File]>) {
    const isList = name.endsWith("[]")
    const key = isList ? name.slice(0, -2) : name
    const field = typeof value === "string" ? value : await readFile(value)
    const earlier = fields[key]
    if (earlier === undefined) fields[key] = isList ? [field] : field
    else fields[key] = [earlier, field].flat()
  }
  return fields
}

async function readFile(file: File): Promise<FormFile> {
  const head = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer())
  return { name: file.name, type: file.type, size: file.size, head }
}

/**
 * The integer of a field; a form has it as a string. Undefined: the field is absent. `invalid`: it is not an integer.
 */
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

export function isFile(value: unknown): value is FormFile {
  return isRecord(value) && value.head instanceof Uint8Array && typeof value.size === "number"
}
