import type { Encoding } from "../encoding"
import { RANKS_P50K } from "../generated/ranks-p50k"
import { RANKS_R50K } from "../generated/ranks-r50k"
import { mergeAnyLength } from "../internal/merge-any-length"
import { scanR50k } from "../internal/scan"
import { Tokenizer } from "../internal/tokenizer"

let tokenizer: Tokenizer | undefined

/** The encoding of text-davinci-003 and the Codex models of 2021. */
export const p50kBase: Encoding = {
  name: "p50k_base",
  specialTokens: /* @__PURE__ */ new Map([["<|endoftext|>", 50256]]),
  tokenizer: () => {
    tokenizer ??= new Tokenizer([RANKS_R50K, RANKS_P50K], scanR50k, {
      anyPrefix: false,
      cased: false,
      mergeBlankRun: mergeAnyLength,
    })
    return tokenizer
  },
}
