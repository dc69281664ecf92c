import { PADDING, type Tokenizer } from "../tokenizer/tokenizer"

/** Characters that are encoded at a time, so that memory does not grow with the text. */
export const BLOCK_CHARS = 1 << 15

/** A buffer above this size is discarded after use. */
const KEPT_BYTES = 1 << 18

const encoder = /* @__PURE__ */ new TextEncoder()

/** A buffer of UTF-8 that grows at the end and is dropped from the front. `PADDING` zero bytes follow the text. */
export class Utf8Buffer {
  bytes: Uint8Array
  view: DataView
  /** Number of bytes of text. */
  length = 0

  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity + PADDING)
    this.view = new DataView(this.bytes.buffer)
  }

  /** Appends the text; lone surrogates become U+FFFD. */
  append(text: string): void {
    this.#reserve(this.length + text.length * 3)
    const free = this.length === 0 ? this.bytes : this.bytes.subarray(this.length)
    this.length += encoder.encodeInto(text, free).written
    this.bytes.fill(0, this.length, this.length + PADDING)
  }

  /** Drops bytes from the front. */
  drop(count: number): void {
    this.bytes.copyWithin(0, count, this.length)
    this.length -= count
    this.bytes.fill(0, this.length, this.length + PADDING)
  }

  #reserve(capacity: number): void {
    if (capacity + PADDING <= this.bytes.length) return
    const larger = new Uint8Array(Math.max(capacity + PADDING, this.bytes.length * 2))
    larger.set(this.bytes.subarray(0, this.length))
    this.bytes = larger
    this.view = new DataView(larger.buffer)
  }
}

/** The buffer that calls share; undefined while one is using it, so that a nested call creates its own. */
let shared: Utf8Buffer | undefined

export function isInsideSurrogatePair(text: string, index: number): boolean {
  if (index <= 0 || index >= text.length) return false
  return (text.charCodeAt(index - 1) & 0xfc00) === 0xd800 && (text.charCodeAt(index) & 0xfc00) === 0xdc00
}

/**
 * Calls `visit` for each block of the text, encoded as UTF-8 from 0 to `end` of `bytes`. Blocks begin and end at piece
 * boundaries. Stops when `visit` returns false.
 *
 * Example: 40,000 characters are visited in two blocks; the first block ends before the last space of the first 32,768.
 */
export function forEachBlock(
  tokenizer: Tokenizer,
  text: string,
  visit: (bytes: Uint8Array, view: DataView, end: number) => boolean,
): void {
  const buffer = shared ?? new Utf8Buffer(BLOCK_CHARS * 3)
  shared = undefined
  buffer.length = 0
  let from = 0
  for (;;) {
    let to = Math.min(text.length, from + BLOCK_CHARS)
    if (isInsideSurrogatePair(text, to)) to--
    const before = buffer.length
    buffer.append(from === 0 && to === text.length ? text : text.substring(from, to))
    from = to
    const isLast = from >= text.length
    // The bytes before this block have no boundary, except perhaps at their last characters, which were incomplete.
    const cut = isLast ? buffer.length : tokenizer.cut(buffer.bytes, Math.max(before - 8, 0), buffer.length)
    if (cut > 0 && !visit(buffer.bytes, buffer.view, cut)) break
    if (isLast) break
    if (cut > 0) buffer.drop(cut)
  }
  if (buffer.bytes.length <= KEPT_BYTES) shared = buffer
}

/** Returns the number of UTF-16 units of well-formed UTF-8. */
export function utf16Length(bytes: Uint8Array, start: number, end: number): number {
  let length = 0
  for (let at = start; at < end; at++) {
    if ((bytes[at]! & 0xc0) !== 0x80) length += bytes[at]! >= 0xf0 ? 2 : 1
  }
  return length
}
