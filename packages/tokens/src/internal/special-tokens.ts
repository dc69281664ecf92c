/** The parts of a text: ordinary text, or the name of an allowed special token. */
export interface TextPart {
  text: string
  isSpecial: boolean
}

/** Cuts the text at the special tokens that are allowed; the leftmost first, as tiktoken does. */
export function splitAtSpecial(text: string, names: readonly string[]): TextPart[] {
  if (names.length === 0 || text.length === 0) return [{ text, isSpecial: false }]
  const pattern = new RegExp(`(${names.map((name) => name.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|")})`)
  return text
    .split(pattern)
    .map((part, index) => ({ text: part, isSpecial: index % 2 === 1 }))
    .filter((part) => part.text !== "")
}
