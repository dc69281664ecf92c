import type { Encoding } from "../encoding"
import { RANKS_O200K } from "../generated/ranks-o200k"
import { scanO200k } from "../internal/scan"
import { Tokenizer } from "../internal/tokenizer"

let tokenizer: Tokenizer | undefined

function o200kTokenizer(): Tokenizer {
  tokenizer ??= new Tokenizer([RANKS_O200K], scanO200k, { anyPrefix: true, cased: true, numbersAreTokens: true })
  return tokenizer
}

/** The encoding of gpt-4o, gpt-4.1, gpt-5, o1, o3 and o4. */
export const o200kBase: Encoding = {
  name: "o200k_base",
  specialTokens: /* @__PURE__ */ new Map([
    ["<|endoftext|>", 199999],
    ["<|endofprompt|>", 200018],
  ]),
  tokenizer: o200kTokenizer,
}

/** The encoding of gpt-oss: the ranks of o200k_base with the special tokens of the harmony format. */
export const o200kHarmony: Encoding = {
  name: "o200k_harmony",
  get specialTokens() {
    harmonyTokens ??= makeHarmonyTokens()
    return harmonyTokens
  },
  tokenizer: o200kTokenizer,
}

let harmonyTokens: Map<string, number> | undefined

/** As in openai/tiktoken, tiktoken_ext/openai_public.py, `o200k_harmony`. */
function makeHarmonyTokens(): Map<string, number> {
  const named = new Map([
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
  const taken = new Set(named.values())
  for (let rank = 200000; rank < 201088; rank++)
    if (!taken.has(rank) || rank === 200018) named.set(`<|reserved_${rank}|>`, rank)
  return named
}
