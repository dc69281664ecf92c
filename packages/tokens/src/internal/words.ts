import { type CharClasses, LOWER, OTHER, SPACE, UPPER } from "./char-classes"

const QUOTE = 0x27
const BLANK = 0x20

/** How a pattern treats words of ASCII letters. */
export interface WordRules {
  /** Whether any sign or white space may stand before the letters, and not a blank only. */
  readonly anyPrefix: boolean
  /** Whether a word ends before an upper-case letter that follows a lower-case one, and may go on with a contraction. */
  readonly cased: boolean
}

/** A word may begin with this byte: it is a letter, or may stand before one. */
export const LETTER = 1
export const PREFIX = 3

/** A word ends before this byte, or does if its last letter is lower-case. */
export const ENDS = 1
export const ENDS_LOWER = 2

/** What each byte means to words that are found eight bytes at a time; 0 is left to the scanner. */
export interface WordBytes {
  readonly starts: Uint8Array
  readonly ends: Uint8Array
}

export function wordBytes({ byByte }: CharClasses, rules: WordRules): WordBytes {
  const starts = new Uint8Array(256)
  const ends = new Uint8Array(256)
  for (let byte = 0; byte < 0x80; byte++) {
    const kind = byByte[byte]
    if (kind === LOWER || kind === UPPER) {
      starts[byte] = LETTER
      ends[byte] = kind === UPPER && rules.cased ? ENDS_LOWER : 0
      continue
    }
    // An apostrophe may begin a contraction.
    const isPrefix = rules.anyPrefix ? (kind === OTHER || kind === SPACE) && byte !== QUOTE : byte === BLANK
    starts[byte] = isPrefix ? PREFIX : 0
    ends[byte] = rules.cased && byte === QUOTE ? 0 : ENDS
  }
  return { starts, ends }
}

/** One bit for each byte of a word that is none of a–z, the first byte's lowest. */
function otherThanLower(word: number): number {
  const seven = word & 0x7f7f7f7f
  // The upper bit of each byte: from "a" up, not above "z", and ASCII.
  const lower = (seven + 0x1f1f1f1f) & ~(seven + 0x05050505) & ~word
  return Math.imul((~lower >>> 7) & 0x01010101, 0x10204080) >>> 28
}

/**
 * Bytes before the first of the eight in two words that is none of a–z, without a branch, because the lengths of words
 * cannot be foreseen; bytes whose bits are in `ignored` are passed over. 8 when there is none.
 */
export function lettersIn(low: number, high: number, ignored: number): number {
  const others = ((otherThanLower(high) << 4) | otherThanLower(low) | 0x100) & ~ignored
  return 31 - Math.clz32(others & -others)
}
