import {
  CASELESS,
  type CharClasses,
  classAt,
  LOWER,
  MARK,
  NEWLINE,
  NUMBER,
  OTHER,
  SPACE,
  UPPER,
  WIDE,
} from "./char-classes"

/**
 * Returns the end of the piece that begins at `at`. `end` is the end of the text; `PADDING` zero bytes follow it, and
 * a zero byte ends every run of letters, digits or white space.
 *
 * Each scanner implements one regular expression of openai/tiktoken (tiktoken_ext/openai_public.py) by hand, because a
 * regular expression allocates a string per piece and depends on the Unicode version of the engine.
 *
 * Example, o200k_base: `"I've 1234 apples\n\n x"` has the pieces `I've`, ` `, `123`, `4`, ` apples`, `\n\n`, ` x`.
 */
export type Scan = (classes: CharClasses, bytes: Uint8Array, at: number, end: number) => number

const QUOTE = 0x27
const SLASH = 0x2f
const BLANK = 0x20

/**
 * `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?`
 * `|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?`
 * `|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
 */
export const scanO200k: Scan = (classes, bytes, at, end) => {
  const { byByte } = classes
  let start = at
  let first = byByte[bytes[at]!]!
  let length = 1
  if (first === WIDE) {
    const packed = classAt(classes, bytes, at)
    first = packed & 15
    length = packed >> 4
  }
  if (first === NUMBER) return numberEnd(classes, bytes, at, 3)
  if (first === OTHER || first === SPACE) start = at + length
  if (first !== NEWLINE) {
    let to = start
    while (byByte[bytes[to]!] === UPPER) to++
    while (byByte[bytes[to]!] === LOWER) to++
    if (byByte[bytes[to]!] === WIDE) to = casedWordEnd(classes, bytes, start)
    if (to > start) return to + contractionLength(bytes, to)
    if (first === OTHER || first === MARK) return otherEnd(classes, bytes, at, end, true)
    if (bytes[at] === BLANK && start < end && isOther(classes, bytes, start))
      return otherEnd(classes, bytes, start, end, true)
  }
  return spaceEnd(classes, bytes, at, end, true)
}

/**
 * `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
 */
export const scanCl100k: Scan = (classes, bytes, at, end) => {
  const { byByte } = classes
  let start = at
  let first = byByte[bytes[at]!]!
  let length = 1
  if (first === WIDE) {
    const packed = classAt(classes, bytes, at)
    first = packed & 15
    length = packed >> 4
  }
  if (first === NUMBER) return numberEnd(classes, bytes, at, 3)
  if (first === OTHER || first === SPACE || first === MARK) {
    const contraction = contractionLength(bytes, at)
    if (contraction > 0) return at + contraction
    start = at + length
  }
  if (first !== NEWLINE) {
    const to = letterEnd(classes, bytes, start)
    if (to > start) return to
    if (first === OTHER || first === MARK) return otherEnd(classes, bytes, at, end, false)
    if (bytes[at] === BLANK && start < end && isOther(classes, bytes, start))
      return otherEnd(classes, bytes, start, end, false)
  }
  return spaceEnd(classes, bytes, at, end, true)
}

/** `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`, for p50k_base too. */
export const scanR50k: Scan = (classes, bytes, at, end) => {
  if (bytes[at] === QUOTE) {
    const length = contractionLength(bytes, at)
    // This pattern has no `(?i:…)`, so only lower case matches.
    if (length > 0 && bytes[at + 1]! >= 0x61 && bytes[at + 1]! < 0x80 && bytes[at + length - 1]! >= 0x61)
      return at + length
  }
  const start = bytes[at] === BLANK ? at + 1 : at
  if (start < end) {
    const kind = classAt(classes, bytes, start) & 15
    if (kind === UPPER || kind === LOWER || kind === CASELESS) return letterEnd(classes, bytes, start)
    if (kind === NUMBER) return numberEnd(classes, bytes, start, Number.POSITIVE_INFINITY)
    if (kind === OTHER || kind === MARK) {
      let to = start
      while (to < end) {
        const packed = classAt(classes, bytes, to)
        if ((packed & 15) !== OTHER && (packed & 15) !== MARK) break
        to += packed >> 4
      }
      return to
    }
  }
  return spaceEnd(classes, bytes, at, end, false)
}

/**
 * End of `[Lu Lt Lm Lo M]*[Ll Lm Lo M]+`, or else of `[Lu Lt Lm Lo M]+[Ll Lm Lo M]*`; `start` if neither matches. If no
 * lower-case letter follows, the first alternative backtracks until its second class has one character.
 */
function casedWordEnd(classes: CharClasses, bytes: Uint8Array, start: number): number {
  let upperEnd = start
  let caselessEnd = start
  for (;;) {
    const packed = classAt(classes, bytes, upperEnd)
    const kind = packed & 15
    if (kind === UPPER) upperEnd += packed >> 4
    else if (kind === CASELESS || kind === MARK) caselessEnd = upperEnd += packed >> 4
    else break
  }
  let to = upperEnd
  for (;;) {
    const packed = classAt(classes, bytes, to)
    const kind = packed & 15
    if (kind !== LOWER && kind !== CASELESS && kind !== MARK) break
    to += packed >> 4
  }
  return to === upperEnd && caselessEnd > start ? caselessEnd : to
}

/** End of `\p{L}*`. */
function letterEnd(classes: CharClasses, bytes: Uint8Array, start: number): number {
  const { byByte } = classes
  let to = start
  for (;;) {
    let kind = byByte[bytes[to]!]!
    let length = 1
    if (kind === WIDE) {
      const packed = classAt(classes, bytes, to)
      kind = packed & 15
      length = packed >> 4
    }
    if (kind !== LOWER && kind !== UPPER && kind !== CASELESS) return to
    to += length
  }
}

/** End of `\p{N}{1,max}`. */
function numberEnd(classes: CharClasses, bytes: Uint8Array, start: number, max: number): number {
  const { byByte } = classes
  let to = start
  for (let count = 0; count < max; count++) {
    const kind = byByte[bytes[to]!]!
    if (kind === NUMBER) to++
    else if (kind === WIDE) {
      const packed = classAt(classes, bytes, to)
      if ((packed & 15) !== NUMBER) break
      to += packed >> 4
    } else break
  }
  return to
}

function isOther(classes: CharClasses, bytes: Uint8Array, at: number): boolean {
  const kind = classAt(classes, bytes, at) & 15
  return kind === OTHER || kind === MARK
}

/** End of `[^\s\p{L}\p{N}]+[\r\n]*`, or of `[^\s\p{L}\p{N}]+[\r\n/]*` if `slashes` is set. */
function otherEnd(classes: CharClasses, bytes: Uint8Array, start: number, end: number, slashes: boolean): number {
  const { byByte } = classes
  let to = start
  while (to < end) {
    let kind = byByte[bytes[to]!]!
    let length = 1
    if (kind === WIDE) {
      const packed = classAt(classes, bytes, to)
      kind = packed & 15
      length = packed >> 4
    }
    if (kind !== OTHER && kind !== MARK) break
    to += length
  }
  while (byByte[bytes[to]!] === NEWLINE || (slashes && bytes[to] === SLASH)) to++
  return to
}

/** End of `\s*[\r\n]+|\s+(?!\S)|\s+`; the first alternative only if `newlines` is set. */
function spaceEnd(classes: CharClasses, bytes: Uint8Array, start: number, end: number, newlines: boolean): number {
  let to = start
  let lastStart = start
  let newlineEnd = start
  for (;;) {
    const packed = classAt(classes, bytes, to)
    const kind = packed & 15
    if (kind !== SPACE && kind !== NEWLINE) break
    lastStart = to
    to += packed >> 4
    if (kind === NEWLINE) newlineEnd = to
  }
  if (newlines && newlineEnd > start) return newlineEnd
  return to === end || lastStart === start ? to : lastStart
}

/** Length of `(?i:'s|'t|'re|'ve|'m|'ll|'d)` at `at`, or 0. U+017F (long s) matches s in `(?i:…)`. */
function contractionLength(bytes: Uint8Array, at: number): number {
  if (bytes[at] !== QUOTE) return 0
  const second = bytes[at + 1]! | 0x20
  // s, t, m, d
  if (second === 0x73 || second === 0x74 || second === 0x6d || second === 0x64) return 2
  const third = bytes[at + 2]! | 0x20
  // re, ve, ll
  if ((second === 0x72 || second === 0x76) && third === 0x65) return 3
  if (second === 0x6c && third === 0x6c) return 3
  return bytes[at + 1] === 0xc5 && bytes[at + 2] === 0xbf ? 3 : 0
}
