/** The compared tokenizers, behind one interface. */
import AiTokenizer from "ai-tokenizer"
import * as aiO200k from "ai-tokenizer/encoding/o200k_base"
import * as gptTokenizer from "gpt-tokenizer/encoding/o200k_base"
import { Tiktoken } from "js-tiktoken/lite"
import o200k from "js-tiktoken/ranks/o200k_base"
import { get_encoding } from "tiktoken"
import * as ours from "../dist/o200k_base.js"

export const OURS = "@p2/tokens"
export const WASM = "tiktoken"

/** The tokenizer of our encoding, which is not part of the public type. */
const tokenizer = () => ours.encoding[Symbol.for("@p2/tokens/tokenizer")]()

/** @returns {{ name: string, count: (text: string) => number, clearCache: () => void }[]} */
export function createTokenizers() {
  const wasm = get_encoding("o200k_base")
  const js = new Tiktoken(o200k)
  let ai = new AiTokenizer(aiO200k)
  return [
    { name: OURS, count: (text) => ours.countTokens(text), clearCache: () => tokenizer().clearCache() },
    {
      name: "gpt-tokenizer",
      count: (text) => gptTokenizer.countTokens(text, { disallowedSpecial: new Set() }),
      clearCache: () => gptTokenizer.clearMergeCache(),
    },
    {
      name: "ai-tokenizer",
      count: (text) => ai.count(text),
      clearCache: () => {
        ai = new AiTokenizer(aiO200k)
      },
    },
    { name: WASM, count: (text) => wasm.encode_ordinary(text).length, clearCache: () => {} },
    { name: "js-tiktoken", count: (text) => js.encode(text, [], []).length, clearCache: () => {} },
  ]
}
