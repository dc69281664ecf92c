/**
 * The deepest nesting that {@link parseJson} accepts. `JSON.parse` would spend seconds on a string of opening brackets, and
 * code that visits a deeper value overflows the stack.
 */
const MAX_DEPTH = 5_000

/**
 * Parses JSON; returns undefined if it is invalid or nested more than 5,000 levels deep. (The error of `JSON.parse` would
 * quote the text.)
 */
export function parseJson(text: string): unknown {
  if (isTooDeep(text)) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Whether a JSON text is nested too deeply for {@link parseJson}. */
export function isTooDeep(text: string): boolean {
  if (text.length <= MAX_DEPTH) return false
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at)
    if (character === QUOTE) at = endOfString(text, at)
    else if (character === BRACE || character === BRACKET) {
      if (++depth > MAX_DEPTH) return true
    } else if (character === CLOSING_BRACE || character === CLOSING_BRACKET) depth--
  }
  return false
}

const QUOTE = 34
const BRACKET = 91
const BACKSLASH = 92
const CLOSING_BRACKET = 93
const BRACE = 123
const CLOSING_BRACE = 125

/** The position of the quote that ends a string, or the end of the text. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const character = text.charCodeAt(at)
    if (character === BACKSLASH) at++
    else if (character === QUOTE) return at
  }
  return text.length
}

/** Whether a value is an object and not an array, as a JSON object is. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}
