/** What is published of a family's tokenizer, as far as estimates and bounds need it. */
export interface ModelFamily {
  name: string
  pattern: RegExp
  /** How much of Claude's distance from o200k_base the estimate takes. */
  strength: number
  /** Unicode normalization before the text is split; undefined if there is none. */
  normalization: "NFC" | "NFKC" | undefined
  /** The most tokens for one UTF-8 byte of the normalized text. */
  tokensPerByte: number
}

/**
 * A byte-level vocabulary, and one with byte fallback, has at most one token for a byte. As of 2026-11-30, from the
 * `tokenizer.json` that each family publishes:
 * - Qwen and Command (Cohere) normalize with NFC.
 * - Llama 3, DeepSeek, Mistral (Tekken and SentencePiece), gpt-oss and Gemma do not normalize. Google states that Gemini
 *   has Gemma's tokenizer: https://ai.google.dev/gemma/docs/core/model_card_3 and the local tokenizer of its SDKs.
 * - Of Claude 3 and later nothing is published; Claude 2's tokenizer normalizes with NFKC (npm `@anthropic-ai/tokenizer`
 *   0.0.4). Anthropic mentions extra tokens for capital letters
 *   (https://transformer-circuits.pub/2025/attribution-graphs/methods.html), so the bound allows more tokens than bytes.
 * - Of Grok and of unknown models nothing is assumed but what is assumed of Claude.
 */
const FAMILIES: readonly ModelFamily[] = [
  { name: "Claude", pattern: /(^|[/.])claude-/i, strength: 1, normalization: "NFKC", tokensPerByte: 1.25 },
  { name: "Gemini", pattern: /(^|\/)(gemini|gemma)-/i, strength: 0.3, normalization: undefined, tokensPerByte: 1 },
  {
    name: "Qwen, Command",
    pattern: /(^|[/.-])(qwen|qwq|qvq|command-|c4ai|cohere)/i,
    strength: 0.3,
    normalization: "NFC",
    tokensPerByte: 1,
  },
  {
    name: "byte-level",
    pattern:
      /(^|[/.])(gpt|o\d|chatgpt|llama|meta-llama|deepseek|mistral|ministral|mixtral|magistral|codestral|devstral|pixtral)/i,
    strength: 0.3,
    normalization: undefined,
    tokensPerByte: 1,
  },
]

const UNKNOWN: ModelFamily = {
  name: "unknown",
  pattern: /./,
  strength: 0.5,
  normalization: "NFKC",
  tokensPerByte: 1.25,
}

/**
 * The family of a model id. The families that normalize are looked for first: `deepseek-r1-distill-qwen-32b` has Qwen's
 * tokenizer.
 */
export function familyOf(model: string): ModelFamily {
  return FAMILIES.find(({ pattern }) => pattern.test(model)) ?? UNKNOWN
}
