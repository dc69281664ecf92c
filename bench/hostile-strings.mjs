/** Ten kinds of text that are slow to process, by name. Each function returns about `bytes` bytes of UTF-8. */

const repeat = (unit) => (bytes) => unit.repeat(Math.ceil(bytes / Buffer.byteLength(unit)))

/** A seeded generator of random integers (xorshift), so that measurements are reproducible. */
function randomOf(seed) {
  let state = seed
  return (limit) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % limit
  }
}

/** Joins parts until the text has about `bytes` bytes. */
function joined(seed, part, separator = "") {
  return (bytes) => {
    const random = randomOf(seed)
    const parts = []
    for (let length = 0; length < bytes; ) {
      const next = part(random) + separator
      parts.push(next)
      length += Buffer.byteLength(next)
    }
    return parts.join("")
  }
}

const SIGNS = "-=#*/[{("
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
const letters = (random, length) => Array.from({ length }, () => ALPHABET[random(52)]).join("")

export const HOSTILE_STRINGS = {
  "one character": repeat("a"),
  ...Object.fromEntries([...SIGNS].map((sign) => [sign, repeat(sign)])),
  "combining marks": repeat("\u0301\u0316"),
  emoji: repeat("👩‍👩‍👧‍👦😀"),
  CRLF: repeat("\r\n"),
  digits: joined(5, (random) => String(random(10))),
  "long words": joined(7, (random) => letters(random, 5_000), " "),
  base64: joined(11, (random) => ALPHABET[random(64)]),
  "mixed scripts": repeat("aя中ق한ไ"),
  "lone surrogates": (bytes) => "\ud800".repeat(Math.ceil(bytes / 3)),
}
