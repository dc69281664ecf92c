import { parseJson } from "../json"
import { JsonScan } from "./partial-json"

/**
 * Bounds the work, because a text of opening brackets takes quadratic time: all attempts together may read so many times
 * the text, and so many more characters. A failed attempt counts as so many characters, for its fixed cost.
 */
const MAX_READINGS = 8
const SPARE_CHARACTERS = 1_000_000
const CHARACTERS_PER_FAILURE = 1_000

/**
 * Finds the JSON in a model's prose: the whole text, else the last fenced block that is JSON, else the longest object or
 * array that is JSON. Undefined if there is none.
 *
 * @example
 * extractJson('Here you are: {"name":"Dickens"}. Anything else?') // '{"name":"Dickens"}'
 */
export function extractJson(text: string): string | undefined {
  const whole = text.trim()
  if (isJson(whole)) return whole
  const fences = whole.split(/^[ \t]*(?:```|~~~).*$/m)
  // Every second part stands between an opening and a closing fence.
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
