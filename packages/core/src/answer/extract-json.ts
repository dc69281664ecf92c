/** Beginnings that are tried at most, so that a text of brackets costs no more than its length times this. */
const MAX_TRIES = 50

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
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const start = starts.exec(text)?.index
    if (start === undefined) break
    const end = endOfBalanced(text, start)
    const found = end === undefined ? undefined : text.slice(start, end)
    if (found === undefined || !isJson(found)) continue
    if (found.length > (longest?.length ?? 0)) longest = found
    starts.lastIndex = start + found.length
  }
  return longest
}

/** Where the bracket that opens at `start` is closed; texts in quotes are passed over. */
function endOfBalanced(text: string, start: number): number | undefined {
  const signs = /[{}[\]]|"(?:[^"\\]+|\\.)*"?/gsy
  const next = /[{}[\]"]/g
  let depth = 0
  next.lastIndex = start
  for (let match = next.exec(text); match !== null; match = next.exec(text)) {
    if (match[0] === '"') {
      signs.lastIndex = match.index
      signs.exec(text)
      next.lastIndex = signs.lastIndex || text.length
    } else depth += match[0] === "{" || match[0] === "[" ? 1 : -1
    if (depth === 0) return next.lastIndex
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
