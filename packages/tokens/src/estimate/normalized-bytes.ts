/** No code point from here on has a decomposition. */
const DECOMPOSED_END = 0x2fa20

/** The Unicode normalization that a tokenizer applies before it splits text; undefined if there is none. */
export type Normalization = "NFC" | "NFKC" | undefined

/**
 * Sums the maximum number of UTF-8 bytes that text can have after normalization. The sum is never below the bytes of the text
 * as it is.
 *
 * Example: U+FB2C is 3 bytes, and 6 in NFC; U+FDFA is 3 bytes, and 33 in NFKC.
 *
 * It does not call `text.normalize()`, which takes quadratic time for long runs of combining marks. A code point counts as
 * its composed form, or as its decomposed form if a combining mark follows, because a mark can split a composed letter:
 * `á` and U+0323 become `ạ` and U+0301. Composing two code points never adds bytes; a test checks all of them.
 */
export class NormalizedBytes {
  readonly #normalization: Normalization
  #bytes = 0
  /** The last code point, which is counted when the next one arrives, and a high surrogate after it. */
  #rest = ""

  constructor(normalization: Normalization) {
    this.#normalization = normalization
  }

  /** Adds a piece of text, which may be split anywhere. */
  add(piece: string): void {
    const text = this.#rest + piece
    let codePoint = text.codePointAt(0)
    let index = 0
    while (codePoint !== undefined) {
      const to = index + (codePoint > 0xffff ? 2 : 1)
      const next = text.codePointAt(to)
      // A high surrogate at the end may become a combining mark with the next piece.
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

/** Maximum bytes of one code point after normalization. `next` is the code point that follows, or 0 at the end. */
function codePointBytes(codePoint: number, normalization: Normalization, next: number): number {
  if (codePoint < 0x80) return 1
  if (normalization === undefined || codePoint >= DECOMPOSED_END) return utf8Length(codePoint)
  const form = isCombining(next) ? (normalization === "NFC" ? "NFD" : "NFKD") : normalization
  const bytes = bytesByForm[form] ?? new Uint8Array(DECOMPOSED_END)
  bytesByForm[form] = bytes
  if (bytes[codePoint] === 0) {
    const normalized = new TextEncoder().encode(String.fromCodePoint(codePoint).normalize(form)).length
    // A tokenizer with an older Unicode version does not change the code point.
    bytes[codePoint] = Math.max(normalized, utf8Length(codePoint))
  }
  return bytes[codePoint]!
}

/** Results of `codePointBytes` by form and code point; 0 if not computed yet. */
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
