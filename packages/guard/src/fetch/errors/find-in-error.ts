import { parseJson } from "@p2/core"

/** Errors that are inspected inside an error: SDKs nest a few levels, and errors may form a cycle. */
const MAX_VALUES = 200
/** The longest string that is searched for a body. */
const MAX_TEXT = 1_000_000

/** Searches an error, its causes and nested errors, and the headers and bodies that an SDK kept in them. */
export function findInError<T>(error: unknown, find: (value: object) => T | undefined): T | undefined {
  const queue: unknown[] = [error]
  const visited = new Set<unknown>()
  // The loop also visits what it adds.
  for (const value of queue) {
    if (typeof value === "string") queue.push(bodyInText(value))
    if (typeof value !== "object" || value === null || visited.has(value)) continue
    const found = find(value)
    if (found !== undefined) return found
    visited.add(value)
    if (visited.size < MAX_VALUES) queue.push(...childrenOf(value))
  }
  return undefined
}

/** A property of an error in which an SDK keeps the error of a call, its body or its headers. */
const PROPERTIES = [
  ...["cause", "error", "errors", "lastError", "originalError", "rawError", "reason"],
  ...["headers", "responseHeaders", "response"],
  ...["body", "responseBody", "data", "details", "message"],
] as const

function childrenOf(value: object): unknown[] {
  if (Array.isArray(value)) return value.slice(0, 20)
  return PROPERTIES.map((name) => readProperty(value, name)).filter((child) => child !== undefined && child !== null)
}

export function readProperty(value: object, name: string): unknown {
  try {
    return (value as Record<string, unknown>)[name]
  } catch {
    return undefined // A getter that throws.
  }
}

/** The JSON object in a message such as `402 {"error":…}`. */
function bodyInText(text: string): unknown {
  const start = text.indexOf("{")
  if (start === -1 || text.length > MAX_TEXT || !text.includes('"p2"')) return undefined
  return parseJson(text.slice(start, text.lastIndexOf("}") + 1))
}
