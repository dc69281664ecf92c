import type { Encoding } from "../encoding"
import { RANKS_CL100K } from "../generated/ranks-cl100k"
import { scanCl100k } from "../internal/scan"
import { Tokenizer } from "../internal/tokenizer"

let tokenizer: Tokenizer | undefined

/** The encoding of gpt-4, gpt-3.5-turbo and text-embedding-3. */
export const cl100kBase: Encoding = {
  name: "cl100k_base",
  specialTokens: /* @__PURE__ */ new Map([
    ["<|endoftext|>", 100257],
    ["<|fim_prefix|>", 100258],
    ["<|fim_middle|>", 100259],
    ["<|fim_suffix|>", 100260],
    ["<|endofprompt|>", 100276],
  ]),
  tokenizer: () => {
    tokenizer ??= new Tokenizer([RANKS_CL100K], scanCl100k, { anyPrefix: true, cased: false, numbersAreTokens: true })
    return tokenizer
  },
}
