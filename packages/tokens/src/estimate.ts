import { InvalidArgumentError } from "@p2/core"
import { o200kBase } from "./encodings/o200k"
import { countOrdinary } from "./operations"

/** A number of tokens that is not known exactly. */
export interface TokenEstimate {
  /** What it will probably be. */
  tokens: number
  /** What it can be at most. */
  upperBound: number
  /** How both were found. */
  basis: string
}

/**
 * Scripts by their first and last UTF-16 unit: how many tokens of o200k_base a unit is, about, and how many tokens Claude takes for each of them. Found with
 * `node scripts/measure-estimates.mjs`; what no row names is Latin, code and punctuation.
 */
const SCRIPTS: readonly (readonly [first: number, last: number, share: number, ratio: number])[] = [
  [0x00c0, 0x02ff, 0.5, 3.5],
  [0x0370, 0x03ff, 0.35, 2.25],
  [0x0400, 0x052f, 0.25, 2.05],
  [0x0590, 0x05ff, 0.35, 2.1],
  [0x0600, 0x06ff, 0.3, 2.5],
  [0x0900, 0x097f, 0.3, 2.75],
  [0x0980, 0x0dff, 0.3, 3.7],
  [0x0e00, 0x0eff, 0.3, 3.15],
  [0x3040, 0x30ff, 0.5, 1.5],
  [0x3400, 0x9fff, 0.65, 1.25],
  [0xac00, 0xd7a3, 0.5, 1.85],
  [0xd800, 0xdfff, 0.6, 1.18],
]

/** The same for everything else. */
const PLAIN = { share: 0.22, ratio: 1.08 }

/** What was published, or is known, of a family's vocabulary. */
interface Family {
  name: string
  pattern: RegExp
  /** How much of Claude's distance from o200k_base is taken. */
  strength: number
  /** Most tokens for a byte. */
  perByte: number
}

/**
 * Byte-level vocabularies and those with byte fallback have no token for less than a byte: Llama 3, Qwen, DeepSeek, Mistral
 * and GPT say so in their tokenizer files; Gemma's is Gemini's as far as Google says. Of Claude and Grok nothing is
 * published, so their bound leaves a quarter above the bytes.
 */
const FAMILIES: readonly Family[] = [
  { name: "Claude", pattern: /(^|[/.])claude-/, strength: 1, perByte: 1.25 },
  { name: "Gemini", pattern: /(^|\/)(gemini|gemma)-/, strength: 0.3, perByte: 1 },
  {
    name: "byte-level",
    pattern:
      /(^|[/.])(gpt|o\d|chatgpt|llama|meta-llama|qwen|deepseek|mistral|ministral|mixtral|magistral|codestral|devstral|pixtral)/i,
    strength: 0.3,
    perByte: 1,
  },
]

const UNDISCLOSED: Family = { name: "undisclosed", pattern: /./, strength: 0.5, perByte: 1.25 }

/** Tokens that a tokenizer may add to a text, such as a beginning of its own. */
const ADDED = 8

/**
 * Estimates the tokens of a text for a model without a public tokenizer: o200k_base's count, corrected by script. The
 * bound is that of bytes: exact for byte-level vocabularies, and with a quarter more where nothing is published.
 */
export function estimateTokens(text: string, model: string): TokenEstimate {
  if (typeof text !== "string") throw new InvalidArgumentError("text", "a string", text)
  if (typeof model !== "string") throw new InvalidArgumentError("model", "a model id", model)
  const family = FAMILIES.find(({ pattern }) => pattern.test(model)) ?? UNDISCLOSED
  const { ratio, bytes } = measureText(text)
  const upperBound = Math.ceil(bytes * family.perByte) + ADDED
  const estimate = Math.ceil(countOrdinary(o200kBase, text) * (1 + (ratio - 1) * family.strength))
  return {
    tokens: Math.min(estimate, upperBound),
    upperBound,
    basis: `o200k_base by script (${family.name}); bound: ${family.perByte} × UTF-8 bytes + ${ADDED}`,
  }
}

/** Claude's tokens beside o200k_base's, by the scripts of the text, and its bytes in UTF-8. */
function measureText(text: string): { ratio: number; bytes: number } {
  let bytes = text.length
  const units = new Int32Array(SCRIPTS.length)
  let row = 0
  let foreign = 0
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit < 0x80) continue
    if (unit < 0x800) bytes += 1
    else if ((unit & 0xfc00) === 0xd800 && (text.charCodeAt(index + 1) & 0xfc00) === 0xdc00) {
      bytes += 2
      index++
    } else bytes += 2
    if (unit < SCRIPTS[row]![0] || unit > SCRIPTS[row]![1]) {
      const found = SCRIPTS.findIndex(([first, last]) => unit >= first && unit <= last)
      if (found === -1) continue
      row = found
    }
    units[row]!++
    foreign++
  }
  let share = (text.length - foreign) * PLAIN.share
  let tokens = share * PLAIN.ratio
  SCRIPTS.forEach(([, , perUnit, ratio], index) => {
    share += units[index]! * perUnit
    tokens += units[index]! * perUnit * ratio
  })
  return { ratio: share === 0 ? 1 : tokens / share, bytes }
}
