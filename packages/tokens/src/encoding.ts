import type { Tokenizer } from "./internal/tokenizer"

/** Names of the encodings that OpenAI has published. */
export type EncodingName = "o200k_base" | "o200k_harmony" | "cl100k_base" | "p50k_base" | "r50k_base"

/** A vocabulary with its pattern. Its table is unpacked on first use and kept. */
export interface Encoding {
  readonly name: EncodingName
  /** Ranks of the special tokens by name. */
  readonly specialTokens: ReadonlyMap<string, number>
  /** @internal */
  readonly tokenizer: () => Tokenizer
}
