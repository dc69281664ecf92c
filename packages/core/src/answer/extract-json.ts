import { JsonScan, parseJson } from "./partial-json"

/**
 * How much may be read, so that brackets cannot cost a minute: so many times the text, all beginnings that are tried
 * together, and so many signs for what is no JSON, of which each costs as much as some hundreds to refuse.
 */
const MAX_READINGS = 8
const SPARE_SIGNS = 1_000_000
const REFUSAL_SIGNS = 1_000

/**
 * The JSON text inside a model's prose: the whole text, else the last fenced block that is JSON, else the longest
 * object or array that is JSON. Undefined when there is none.
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
  return longestIn(whole)
}

function longestIn(text: string): string | undefined {
  const starts = /[{[]/g
  let longest: string | undefined
  let signs = MAX_READINGS * text.length + SPARE_SIGNS
  for (let start = starts.exec(text)?.index; start !== undefined && signs > 0; start = starts.exec(text)?.index) {
    const scan = new JsonScan(text.slice(start))
    const isWhole = scan.value()
    signs -= scan.at
    if (!isWhole) signs -= REFUSAL_SIGNS
    else {
      if (scan.json.length > (longest?.length ?? 0)) longest = scan.json
      starts.lastIndex = start + scan.at
    }
  }
  return longest
}

function isJson(text: string): boolean {
  return parseJson(text) !== undefined
}
