/** Code points from here on have no decomposition. */
const DECOMPOSED_END = 0x2fa20

/** Unicode normalization that a tokenizer applies before it splits a text; undefined if there is none. */
export type Normalization = "NFC" | "NFKC" | undefined

/**
 * Adds up the most UTF-8 bytes that a text can have after normalization; at least those that it has without.
 *
 * Example: U+FB2C is 3 bytes, and 6 in NFC; U+FDFA is 3 bytes, and 33 in NFKC.
 *
 * It does not call `text.normalize()`, which takes quadratic time for long runs of combining marks. A code point counts as
 * its composed form, or as its decomposed form if a combining mark follows, because a mark can take a composed letter
 * apart: `á` and U+0323 become `ạ` and U+0301. Composing two code points never makes more bytes; a test checks all of them.
 */
export class NormalizedBytes {
  readonly #normalization: Normalization
  #bytes = 0
  /** The last code point, which counts when the next one is known, and the half of a surrogate pair behind it. */
  #rest = ""

  constructor(normalization: Normalization) {
    this.#normalization = normalization
  }

  /** Adds a piece of the text, which may be cut anywhere. */
  add(piece: string): void {
    const text = this.#rest + piece
    let codePoint = text.codePointAt(0)
    let index = 0
    while (codePoint !== undefined) {
      const to = index + (codePoint > 0xffff ? 2 : 1)
      const next = text.codePointAt(to)
      // Half of a pair at the end may become a combining mark.
      if (next === undefined || (isHighSurrogate(next) && to === text.length - 1)) break
      this.#bytes += codePointBytes(codePoint, this.#normalization, next)
      index = to
      codePoint = next
    }
    this.#rest = text.slice(index)
  }

  get bytes(): number {
    const [last, half] = [...this.#rest]
    if (last === undefined) return 0
    const after = half === undefined ? 0 : half.codePointAt(0)!
    const bytes = this.#bytes + codePointBytes(last.codePointAt(0)!, this.#normalization, after)
    return half === undefined ? bytes : bytes + codePointBytes(after, this.#normalization, 0)
  }

  reset(): void {
    this.#bytes = 0
    this.#rest = ""
  }
}

/** The most bytes of one code point after normalization; `next` is the code point that follows, 0 at the end. */
function codePointBytes(codePoint: number, normalization: Normalization, next: number): number {
  if (codePoint < 0x80) return 1
  if (normalization === undefined || codePoint >= DECOMPOSED_END) return utf8Length(codePoint)
  const form = isCombining(next) ? (normalization === "NFC" ? "NFD" : "NFKD") : normalization
  const bytes = bytesByForm[form] ?? new Uint8Array(DECOMPOSED_END)
  bytesByForm[form] = bytes
  if (bytes[codePoint] === 0) {
    const normalized = new TextEncoder().encode(String.fromCodePoint(codePoint).normalize(form)).length
    // A tokenizer with an older version of Unicode leaves the code point as it is.
    bytes[codePoint] = Math.max(normalized, utf8Length(codePoint))
  }
  return bytes[codePoint]!
}

/** Results of `codePointBytes` by form and code point; 0 is not computed yet. */
const bytesByForm: Partial<Record<"NFC" | "NFD" | "NFKC" | "NFKD", Uint8Array>> = {}

function isHighSurrogate(codePoint: number): boolean {
  return codePoint >= 0xd800 && codePoint <= 0xdbff
}

function isCombining(codePoint: number): boolean {
  return codePoint >= 0x300 && /\p{M}/u.test(String.fromCodePoint(codePoint))
}

/** Bytes of a code point in UTF-8; a lone surrogate becomes U+FFFD, which has 3. */
function utf8Length(codePoint: number): number {
  return codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4
}
