import type { Tokenizer } from "../tokenizer/tokenizer"

/** Names of the encodings that OpenAI has published. */
export type EncodingName = "o200k_base" | "o200k_harmony" | "cl100k_base" | "p50k_base" | "r50k_base"

/** A vocabulary and the pattern that splits text for it. `@p2/tokens/o200k_base` and the other sub-paths export one each. */
export interface Encoding {
  readonly name: EncodingName
  /** Ranks of the special tokens by name. */
  readonly specialTokens: ReadonlyMap<string, number>
}

/** The symbol is shared by the ESM and CommonJS builds, so that each accepts the other's encodings. */
const TOKENIZER = /* @__PURE__ */ Symbol.for("@p2/tokens/tokenizer")

/** An encoding with its tokenizer, which is not part of the public type. */
interface LoadableEncoding extends Encoding {
  readonly [TOKENIZER]: () => Tokenizer
}

/** Creates an encoding whose special tokens and tokenizer are created on first use. */
export function createEncoding(
  name: EncodingName,
  createSpecialTokens: () => ReadonlyMap<string, number>,
  createTokenizer: () => Tokenizer,
): Encoding {
  let specialTokens: ReadonlyMap<string, number> | undefined
  let tokenizer: Tokenizer | undefined
  const encoding: LoadableEncoding = {
    name,
    get specialTokens() {
      specialTokens ??= createSpecialTokens()
      return specialTokens
    },
    [TOKENIZER]: () => {
      tokenizer ??= createTokenizer()
      return tokenizer
    },
  }
  return encoding
}

/** Whether a value is an encoding from any copy of this package. */
export function isEncoding(value: unknown): value is Encoding {
  return typeof (value as Partial<LoadableEncoding> | null | undefined)?.[TOKENIZER] === "function"
}

export function tokenizerOf(encoding: Encoding): Tokenizer {
  return (encoding as LoadableEncoding)[TOKENIZER]()
}
