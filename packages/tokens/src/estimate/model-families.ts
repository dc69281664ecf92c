/** Properties of a tokenizer family that estimates and bounds need, as far as they are published. */
export interface ModelFamily {
  name: string
  pattern: RegExp
  /** Which share of Claude's difference from o200k_base the estimate applies: 0 for none, 1 for all. */
  strength: number
  /** Unicode normalization before the text is split; undefined if there is none. */
  normalization: "NFC" | "NFKC" | undefined
  /** Maximum tokens per UTF-8 byte of the normalized text. */
  tokensPerByte: number
}

/**
 * A vocabulary that is byte-level or has byte fallback produces at most one token per byte. As of 2026-11-30, according to
 * the `tokenizer.json` that each family publishes:
 * - Qwen, Command (Cohere) and GPT-NeoX normalize with NFC. GPT-SW3 is bounded like unknown models.
 * - Llama 3, DeepSeek, Mistral (Tekken and SentencePiece), gpt-oss and Gemma do not normalize. Google states that Gemini
 *   uses Gemma's tokenizer: https://ai.google.dev/gemma/docs/core/model_card_3 and the local tokenizer of its SDKs.
 * - Anthropic has published nothing about the tokenizer of Claude 3 and later. Claude 2's tokenizer normalizes with NFKC (npm
 *   `@anthropic-ai/tokenizer` 0.0.4). Anthropic mentions extra tokens for capital letters
 *   (https://transformer-circuits.pub/2025/attribution-graphs/methods.html), so the bound allows more tokens than bytes.
 * - Grok and unknown models are bounded like Claude.
 */
const FAMILIES: readonly ModelFamily[] = [
  { name: "Claude", pattern: /(^|[/.])claude-/i, strength: 1, normalization: "NFKC", tokensPerByte: 1.25 },
  { name: "Gemini", pattern: /(^|\/)(gemini|gemma)-/i, strength: 0.3, normalization: undefined, tokensPerByte: 1 },
  {
    name: "Qwen, Command",
    pattern: /(^|[/.-])(qwen|qwq|qvq|command-|c4ai|cohere|gpt-neox)/i,
    strength: 0.3,
    normalization: "NFC",
    tokensPerByte: 1,
  },
  {
    name: "byte-level",
    pattern:
      /(^|[/.])(gpt(?!-sw3)|o\d|chatgpt|llama|meta-llama|deepseek|mistral|ministral|mixtral|magistral|codestral|devstral|pixtral)/i,
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
 * Returns the family of a model id. Families that normalize are tried first: `deepseek-r1-distill-qwen-32b` has Qwen's
 * tokenizer.
 */
export function familyOf(model: string): ModelFamily {
  return FAMILIES.find(({ pattern }) => pattern.test(model)) ?? UNKNOWN
}
