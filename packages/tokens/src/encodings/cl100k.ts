import { RANKS_CL100K } from "../generated/ranks-cl100k"
import { scanCl100k } from "../tokenizer/scan"
import { Tokenizer } from "../tokenizer/tokenizer"
import { createEncoding } from "./encoding"

/** The encoding of gpt-4, gpt-3.5-turbo and text-embedding-3. */
export const cl100kBase = /* @__PURE__ */ createEncoding(
  "cl100k_base",
  () =>
    new Map([
      ["<|endoftext|>", 100257],
      ["<|fim_prefix|>", 100258],
      ["<|fim_middle|>", 100259],
      ["<|fim_suffix|>", 100260],
      ["<|endofprompt|>", 100276],
    ]),
  () => new Tokenizer({ ranks: [RANKS_CL100K], scan: scanCl100k, hasAllShortNumbers: true }),
)
