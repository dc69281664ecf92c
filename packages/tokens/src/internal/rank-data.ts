/** A vocabulary as the generated modules hold it: base64 of one length byte per rank, then the bytes of all tokens. */
export interface RankData {
  /** Rank of the first token. */
  readonly first: number
  /** Number of ranks; a length of 0 is a rank without a token. */
  readonly count: number
  /** Bytes of the decoded data. */
  readonly size: number
  readonly base64: string
}

/** Decodes base64 without padding; by hand, because no decoder is both in every engine and fast. Zeros follow the data. */
export function decodeRankData(data: RankData): Uint8Array {
  const text = new TextEncoder().encode(data.base64)
  const values = new Uint8Array(128)
  for (let value = 0; value < 64; value++) {
    const code = value < 26 ? 65 + value : value < 52 ? 71 + value : value < 62 ? value - 4 : value === 62 ? 43 : 47
    values[code] = value
  }
  const bytes = new Uint8Array(data.size + 8)
  let to = 0
  for (let from = 0; from < text.length; from += 4) {
    const bits =
      (values[text[from]!]! << 18) |
      (values[text[from + 1]!]! << 12) |
      (values[text[from + 2] ?? 65]! << 6) |
      values[text[from + 3] ?? 65]!
    bytes[to++] = bits >> 16
    bytes[to++] = bits >> 8
    bytes[to++] = bits
  }
  return bytes.fill(0, data.size)
}
