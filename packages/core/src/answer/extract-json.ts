import { parseJson } from "../json"
import { JsonScan } from "./partial-json"

/**
 * Bounds the work, because a string of opening brackets would take quadratic time. All attempts together may read
 * `MAX_READINGS` times the length of the string plus `SPARE_CHARACTERS`. A failed attempt costs `CHARACTERS_PER_FAILURE` more.
 */
const MAX_READINGS = 8
const SPARE_CHARACTERS = 1_000_000
const CHARACTERS_PER_FAILURE = 1_000

/**
 * Finds the JSON in a model's prose: the whole string, otherwise the last fenced block that is JSON, otherwise the longest
 * object or array that is JSON. Returns undefined if there is none.
 *
 * @example
 * extractJson('Here you are: {"name":"Dickens"}. Anything else?') // '{"name":"Dickens"}'
 */
export function extractJson(text: string): string | undefined {
  const whole = text.trim()
  if (isJson(whole)) return whole
  const fences = whole.split(/^[ \t]*(?:```|~~~).*$/m)
  // Every second part is between an opening and a closing fence.
  for (let index = fences.length - 1 - (fences.length % 2); index > 0; index -= 2) {
    const block = fences[index]!.trim()
    if (isJson(block)) return block
  }
  return longestIn(whole)
}

function longestIn(text: string): string | undefined {
  const starts = /[{[]/g
  let longest: string | undefined
  let characters = MAX_READINGS * text.length + SPARE_CHARACTERS
  for (let start = starts.exec(text)?.index; start !== undefined && characters > 0; start = starts.exec(text)?.index) {
    const scan = new JsonScan(text.slice(start))
    const isComplete = scan.value()
    characters -= scan.at
    if (!isComplete) characters -= CHARACTERS_PER_FAILURE
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
