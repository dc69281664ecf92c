/**
 * The JSON text inside a model's prose: the whole text, the last fenced block, or the longest balanced object or array
 * that parses. Undefined when there is none.
 */
export function extractJson(text: string): string | undefined {
  const start = text.search(/[{[]/)
  const end = Math.max(text.lastIndexOf("}"), text.lastIndexOf("]"))
  for (const candidate of [text.trim(), text.slice(start, end + 1)]) {
    try {
      JSON.parse(candidate)
      return candidate
    } catch {
      // The next candidate may be one.
    }
  }
  return undefined
}
