import { CLASS_CHANGES } from "../generated/char-classes"

/*
 * The classes of characters in tiktoken's patterns. Punctuation, symbols, control characters and unassigned code points are
 * `OTHER`.
 *
 * Example: `classAt` of `é` is `LOWER` with a length of 2 bytes, of `中` `CASELESS` with 3.
 */

export const OTHER = 0
/** White space other than CR and LF. */
export const SPACE = 1
/** Lu and Lt. */
export const UPPER = 2
/** Ll. */
export const LOWER = 3
/** Lm and Lo: letters that match upper and lower case. */
export const CASELESS = 4
export const MARK = 5
export const NUMBER = 6
/** CR and LF. */
export const NEWLINE = 7
/** A byte of a multi-byte character. */
export const WIDE = 8

/** From here on, every code point is `OTHER`, except the marks from U+E0100 to U+E01EF. */
const TABLE_END = 0x32400

/** Classes by code point and by byte. */
export interface CharClasses {
  /** By byte; `WIDE` for bytes from 0x80. */
  readonly byByte: Uint8Array
  /** By code point, below `TABLE_END`. */
  readonly byCodePoint: Uint8Array
}

/** The letter of each class in the generated data, at the index of the class: O for `OTHER`, C for `CASELESS`. */
const CLASS_LETTERS = "OSULCMN"

let unpacked: CharClasses | undefined

/** Returns the classes of Unicode 16.0, which are unpacked on first use. */
export function charClasses(): CharClasses {
  unpacked ??= unpack()
  return unpacked
}

function unpack(): CharClasses {
  const byCodePoint = new Uint8Array(TABLE_END)
  let from = 0
  let current = OTHER
  for (const [, distance, letter] of CLASS_CHANGES.matchAll(/([0-9a-z]+)([A-Z])/g)) {
    const to = from + Number.parseInt(distance!, 36)
    byCodePoint.fill(current, from, Math.min(to, TABLE_END))
    if (to >= TABLE_END) break
    from = to
    current = CLASS_LETTERS.indexOf(letter!)
  }
  byCodePoint[0x0a] = NEWLINE
  byCodePoint[0x0d] = NEWLINE
  const byByte = new Uint8Array(256).fill(WIDE)
  byByte.set(byCodePoint.subarray(0, 128))
  return { byByte, byCodePoint }
}

/**
 * Returns the class of the character at `at` plus 16 times its length in bytes. `bytes` is well-formed UTF-8; zero bytes
 * follow where it was cut.
 */
export function classAt(classes: CharClasses, bytes: Uint8Array, at: number): number {
  const first = bytes[at]!
  if (first < 0x80) return classes.byByte[first]! | 16
  if (first < 0xe0) return classes.byCodePoint[((first & 31) << 6) | (bytes[at + 1]! & 63)]! | 32
  if (first < 0xf0)
    return classes.byCodePoint[((first & 15) << 12) | ((bytes[at + 1]! & 63) << 6) | (bytes[at + 2]! & 63)]! | 48
  const codePoint =
    ((first & 7) << 18) | ((bytes[at + 1]! & 63) << 12) | ((bytes[at + 2]! & 63) << 6) | (bytes[at + 3]! & 63)
  if (codePoint < TABLE_END) return classes.byCodePoint[codePoint]! | 64
  return codePoint >= 0xe0100 && codePoint <= 0xe01ef ? MARK | 64 : OTHER | 64
}
