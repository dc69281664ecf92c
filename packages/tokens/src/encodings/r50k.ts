import type { Encoding } from "../encoding"
import { RANKS_R50K } from "../generated/ranks-r50k"
import { scanR50k } from "../internal/scan"
import { Tokenizer } from "../internal/tokenizer"

let tokenizer: Tokenizer | undefined

/** The encoding of GPT-2 and of GPT-3's first models. */
export const r50kBase: Encoding = {
  name: "r50k_base",
  specialTokens: /* @__PURE__ */ new Map([["<|endoftext|>", 50256]]),
  tokenizer: () => {
    tokenizer ??= new Tokenizer([RANKS_R50K], scanR50k, { anyPrefix: false, cased: false })
    return tokenizer
  },
}
