/** Levels of arrays and objects, of which each costs `JSON.parse` as much as many characters. */
const MAX_DEPTH = 10_000

/** A text that is no longer cannot be deep enough to hurt. */
const SHORT = 65_536

/**
 * `JSON.parse`, which a megabyte of brackets cannot keep busy for half a second.
 * @throws SyntaxError for what is no JSON; RangeError for a text of more than 65,536 characters and 10,000 levels.
 */
export function parseJson(text: string): unknown {
  if (text.length > SHORT && isTooDeep(text)) throw new RangeError(`The JSON has more than ${MAX_DEPTH} levels.`)
  return JSON.parse(text)
}

function isTooDeep(text: string): boolean {
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const sign = text.charCodeAt(at)
    if (sign === 0x22) at = endOfText(text, at)
    else if (sign === 0x5b || sign === 0x7b) depth++
    else if (sign === 0x5d || sign === 0x7d) depth--
    if (depth > MAX_DEPTH) return true
  }
  return false
}

/** Where the text that begins at a quote ends. */
function endOfText(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let slashes = 0
    while (text.charCodeAt(end - 1 - slashes) === 0x5c) slashes++
    if (slashes % 2 === 0) return end
  }
  return text.length
}
