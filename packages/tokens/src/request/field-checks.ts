import { InvalidArgumentError } from "@p2/core"

/** @param form an example of the object that contains the field, for the error message */
export function stringAt(value: unknown, path: string, form?: string): string {
  if (typeof value === "string") return value
  throw new InvalidArgumentError(path, form === undefined ? "a string" : `a string, as in ${form}`, value)
}

/** @throws InvalidArgumentError for what JSON cannot hold: circular references, bigints */
export function jsonOf(value: unknown, path: string): string {
  let json: string | undefined
  try {
    json = JSON.stringify(value)
  } catch {}
  if (json === undefined) throw new InvalidArgumentError(path, "a value that can be written as JSON", value)
  return json
}
