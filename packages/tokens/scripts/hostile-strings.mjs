/** Text that is slow for tokenizers, by name; each function returns about `bytes` bytes. */
import { randomOf } from "./fuzz-strings.mjs"

const repeat = (unit) => (bytes) => unit.repeat(Math.ceil(bytes / Buffer.byteLength(unit)))

function randomLetters(bytes) {
  const random = randomOf(3)
  return Array.from({ length: bytes }, () => String.fromCharCode(97 + (random() % 26))).join("")
}

export const HOSTILE_STRINGS = {
  "-": repeat("-"),
  "=": repeat("="),
  "#": repeat("#"),
  "*": repeat("*"),
  "/": repeat("/"),
  spaces: repeat(" "),
  "newline and spaces": repeat("\n    "),
  "one letter": repeat("a"),
  "random letters": randomLetters,
  "combining marks": repeat("\u0301\u0316"),
  "U+FDFA": repeat("\ufdfa"),
  "one emoji": repeat("😀"),
  "beginnings of special tokens": repeat("<|"),
  "mixed scripts": repeat("aя中ق"),
}
