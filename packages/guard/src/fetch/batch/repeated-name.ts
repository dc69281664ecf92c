/**
 * A name that one object of a JSON string has twice: parsers disagree about which value counts. Undefined: no name is repeated.
 * @param json valid JSON
 */
export function repeatedName(json: string): string | undefined {
  /** The names of the objects around the token; undefined stands for an array. */
  const open: (Set<string> | undefined)[] = []
  const tokens = /["{}[\]]/g
  for (let match = tokens.exec(json); match !== null; match = tokens.exec(json)) {
    const [token] = match
    if (token === "{") open.push(new Set())
    else if (token === "[") open.push(undefined)
    else if (token === "}" || token === "]") open.pop()
    else {
      const end = endOfString(json, match.index)
      tokens.lastIndex = end
      const names = open.at(-1)
      if (names === undefined || !isName(json, end)) continue
      const name = JSON.parse(json.slice(match.index, end)) as string
      if (names.has(name)) return name
      names.add(name)
    }
  }
  return undefined
}

/** The index after the string that starts at an index. */
function endOfString(json: string, start: number): number {
  let end = json.indexOf('"', start + 1)
  while (isEscaped(json, end)) end = json.indexOf('"', end + 1)
  return end + 1
}

function isEscaped(json: string, index: number): boolean {
  let first = index
  while (json[first - 1] === "\\") first -= 1
  return (index - first) % 2 === 1
}

/** Whether the string that ends before an index is a name: a colon follows. */
function isName(json: string, end: number): boolean {
  let next = end
  while (/\s/.test(json[next] ?? "")) next += 1
  return json[next] === ":"
}
