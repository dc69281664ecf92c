/** The value that an unfinished JSON text has so far; undefined while it has none. */
export function parsePartialJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
