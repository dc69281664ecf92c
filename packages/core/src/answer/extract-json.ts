/** How often the text is read at most, all beginnings that are tried together, so that brackets cannot cost a minute. */
const MAX_READINGS = 8

/**
 * The JSON text inside a model's prose: the whole text, else the last fenced block that is JSON, else the longest
 * balanced object or array that is JSON. Undefined when there is none.
 */
export function extractJson(text: string): string | undefined {
  const whole = text.trim()
  if (isJson(whole)) return whole
  const fences = whole.split(/^[ \t]*(?:```|~~~).*$/m)
  // Between an opening and a closing fence: every second part.
  for (let index = fences.length - 1 - (fences.length % 2); index > 0; index -= 2) {
    const block = fences[index]!.trim()
    if (isJson(block)) return block
  }
  return longestBalanced(whole)
}

function longestBalanced(text: string): string | undefined {
  const starts = /[{[]/g
  let longest: string | undefined
  let work = MAX_READINGS * text.length
  for (let start = starts.exec(text)?.index; start !== undefined && work > 0; start = starts.exec(text)?.index) {
    const end = endOfBalanced(text, start)
    work -= (end ?? text.length) - start
    const found = end === undefined ? undefined : text.slice(start, end)
    if (found === undefined || !isJson(found)) continue
    if (found.length > (longest?.length ?? 0)) longest = found
    starts.lastIndex = start + found.length
  }
  return longest
}

/** Where the bracket that opens at `start` is closed; texts in quotes are passed over. */
function endOfBalanced(text: string, start: number): number | undefined {
  let depth = 0
  let quoted = false
  for (let at = start; at < text.length; at++) {
    const sign = text[at]
    if (quoted && sign === "\\") at++
    else if (sign === '"') quoted = !quoted
    else if (quoted) continue
    else if (sign === "{" || sign === "[") depth++
    else if ((sign === "}" || sign === "]") && --depth === 0) return at + 1
  }
  return undefined
}

function isJson(text: string): boolean {
  if (!/^["{[\dtfn-]/.test(text)) return false
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
