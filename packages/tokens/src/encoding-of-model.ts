import { parseModelId } from "@p2/core"
import type { Encoding, EncodingName } from "./encoding"
import { cl100kBase } from "./encodings/cl100k"
import { o200kBase, o200kHarmony } from "./encodings/o200k"
import { EncodingNotLoadedError } from "./errors"
import { findModelRow, modelForms } from "./model-limits"

/**
 * OpenAI's models by encoding, from tiktoken 0.14.0 (17 August 2026), tiktoken/model.py. Exact names; dates at the end are
 * taken away before they are looked up.
 */
const MODELS: readonly (readonly [EncodingName, string])[] = [
  [
    "o200k_base",
    "gpt-4o gpt-4o-mini chatgpt-4o-latest gpt-4o-search-preview gpt-4o-mini-search-preview gpt-4o-audio-preview gpt-4o-mini-audio-preview gpt-4o-realtime-preview gpt-4o-mini-realtime-preview gpt-4.1 gpt-4.1-mini gpt-4.1-nano gpt-4.5-preview o1 o1-mini o1-preview o1-pro o3 o3-mini o3-pro o3-deep-research o4-mini o4-mini-deep-research",
  ],
  [
    "cl100k_base",
    "gpt-4 gpt-4-0314 gpt-4-0613 gpt-4-32k gpt-4-32k-0314 gpt-4-32k-0613 gpt-4-turbo gpt-4-turbo-preview gpt-4-1106-preview gpt-4-0125-preview gpt-4-vision-preview gpt-4-1106-vision-preview gpt-3.5-turbo gpt-35-turbo gpt-3.5-turbo-0301 gpt-3.5-turbo-0613 gpt-3.5-turbo-1106 gpt-3.5-turbo-0125 gpt-3.5-turbo-16k gpt-35-turbo-16k gpt-3.5-turbo-16k-0613 text-embedding-ada-002 text-embedding-3-small text-embedding-3-large",
  ],
  ["o200k_harmony", "gpt-oss-120b gpt-oss-20b gpt-oss-safeguard-20b gpt-oss-safeguard-120b gpt-oss:120b gpt-oss:20b"],
]

/**
 * tiktoken's prefix "gpt-5" is o200k_base, with every version and every kind; here only where a version or a kind follows.
 * gpt-6 is not in its table, so it is estimated.
 */
const GPT_5 = /^gpt-5(?:[.-][a-z0-9.-]+)?$/

let byModel: Map<string, EncodingName> | undefined

/** Name of the encoding of a model, or undefined when its tokenizer is not public. */
export function encodingNameOf(model: string): EncodingName | undefined {
  byModel ??= new Map(
    MODELS.flatMap(([encoding, models]) => models.split(" ").map((name) => [name, encoding] as const)),
  )
  for (const form of modelForms(model)) {
    const { provider, name } = parseModelId(form)
    const owner = provider === undefined || provider === "openai" || provider === "azure"
    const open = name.startsWith("gpt-oss")
    if (!owner && !open) continue
    const bare = name.startsWith("openai/") ? name.slice(7) : name
    const encoding = byModel.get(bare)
    if (encoding !== undefined) return encoding
    if (GPT_5.test(bare)) return "o200k_base"
  }
  const listed = findModelRow(model)?.encoding
  return listed !== undefined && isEncodingName(listed) ? listed : undefined
}

function isEncodingName(name: string): name is EncodingName {
  return /^(o200k_base|o200k_harmony|cl100k_base|p50k_base|r50k_base)$/.test(name)
}

/**
 * The encoding of this name, when the root entry holds it.
 * @throws EncodingNotLoadedError for p50k_base, r50k_base and unknown names
 */
export function encodingNamed(encoding: EncodingName | Encoding): Encoding {
  if (typeof encoding === "object" && encoding !== null && typeof encoding.tokenizer === "function") return encoding
  if (encoding === "o200k_base") return o200kBase
  if (encoding === "o200k_harmony") return o200kHarmony
  if (encoding === "cl100k_base") return cl100kBase
  throw new EncodingNotLoadedError(String(encoding))
}
