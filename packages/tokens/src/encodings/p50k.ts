import { RANKS_P50K } from "../generated/ranks-p50k"
import { RANKS_R50K } from "../generated/ranks-r50k"
import { scanR50k } from "../tokenizer/scan"
import { Tokenizer } from "../tokenizer/tokenizer"
import { createEncoding } from "./encoding"

/** The encoding of text-davinci-003 and of the Codex models of 2021. */
export const p50kBase = /* @__PURE__ */ createEncoding(
  "p50k_base",
  () => new Map([["<|endoftext|>", 50256]]),
  () => new Tokenizer({ ranks: [RANKS_R50K, RANKS_P50K], scan: scanR50k }),
)
