/** A vocabulary as the generated modules store it: base64 of one length byte per rank, then the bytes of all tokens. */
export interface RankData {
  /** Rank of the first token. */
  readonly first: number
  /** Number of ranks; a length of 0 is a rank without a token. */
  readonly count: number
  /** Size of the decoded data in bytes. */
  readonly size: number
  readonly base64: string
}

/** Decodes the base64 and appends 8 zero bytes, because the vocabulary reads words of 4 bytes. */
export function decodeRankData({ base64, size }: RankData): Uint8Array {
  const binary = atob(base64)
  const bytes = new Uint8Array(size + 8)
  for (let index = 0; index < size; index++) bytes[index] = binary.charCodeAt(index)
  return bytes
}
