import { RANKS_O200K } from "../generated/ranks-o200k"
import { scanO200k } from "../tokenizer/scan"
import { Tokenizer } from "../tokenizer/tokenizer"
import { createEncoding, tokenizerOf } from "./encoding"

/** The encoding of gpt-4o, gpt-4.1, gpt-5, o1, o3 and o4. */
export const o200kBase = /* @__PURE__ */ createEncoding(
  "o200k_base",
  () =>
    new Map([
      ["<|endoftext|>", 199999],
      ["<|endofprompt|>", 200018],
    ]),
  () => new Tokenizer({ ranks: [RANKS_O200K], scan: scanO200k, hasAllShortNumbers: true }),
)

/** The encoding of gpt-oss: the vocabulary of o200k_base with the special tokens of the harmony format. */
export const o200kHarmony = /* @__PURE__ */ createEncoding("o200k_harmony", harmonyTokens, () => tokenizerOf(o200kBase))

/** As in openai/tiktoken, tiktoken_ext/openai_public.py, `o200k_harmony`. */
function harmonyTokens(): Map<string, number> {
  const tokens = new Map([
    ["<|startoftext|>", 199998],
    ["<|endoftext|>", 199999],
    ["<|return|>", 200002],
    ["<|constrain|>", 200003],
    ["<|channel|>", 200005],
    ["<|start|>", 200006],
    ["<|end|>", 200007],
    ["<|message|>", 200008],
    ["<|call|>", 200012],
    ["<|endofprompt|>", 200018],
  ])
  const named = new Set(tokens.values())
  for (let rank = 200000; rank < 201088; rank++)
    // 200018 has two names.
    if (!named.has(rank) || rank === 200018) tokens.set(`<|reserved_${rank}|>`, rank)
  return tokens
}
