import { InvalidArgumentError } from "@p2/core"

export function stringAt(value: unknown, path: string): string {
  if (typeof value !== "string") throw new InvalidArgumentError(path, "a string", value)
  return value
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
