import { RANKS_R50K } from "../generated/ranks-r50k"
import { scanR50k } from "../tokenizer/scan"
import { Tokenizer } from "../tokenizer/tokenizer"
import { createEncoding } from "./encoding"

/** The encoding of GPT-2 and of the first GPT-3 models. */
export const r50kBase = /* @__PURE__ */ createEncoding(
  "r50k_base",
  () => new Map([["<|endoftext|>", 50256]]),
  () => new Tokenizer({ ranks: [RANKS_R50K], scan: scanR50k }),
)
