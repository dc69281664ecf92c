/** The value of a JSON text; undefined where it is none: what `JSON.parse` says of that quotes the text. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
