import { parseModelId } from "@p2/core"
import type { EncodingName } from "./encoding"

/**
 * OpenAI's models by encoding, from tiktoken 0.14.0 (17 August 2026), tiktoken/model.py. The names are exact; a date at the
 * end of an id is removed before the lookup.
 */
const MODELS: readonly (readonly [EncodingName, string])[] = [
  [
    "o200k_base",
    "gpt-4o gpt-4o-mini chatgpt-4o-latest gpt-4o-search-preview gpt-4o-mini-search-preview gpt-4o-audio-preview gpt-4o-mini-audio-preview gpt-4o-realtime-preview gpt-4o-mini-realtime-preview gpt-4.1 gpt-4.1-mini gpt-4.1-nano gpt-4.5-preview o1 o1-mini o1-preview o1-pro o3 o3-mini o3-pro o3-deep-research o4-mini o4-mini-deep-research",
  ],
  [
    "cl100k_base",
    "gpt-4 gpt-4-0314 gpt-4-0613 gpt-4-32k gpt-4-32k-0314 gpt-4-32k-0613 gpt-4-turbo gpt-4-turbo-preview gpt-4-1106-preview gpt-4-0125-preview gpt-4-vision-preview gpt-4-1106-vision-preview gpt-3.5-turbo gpt-35-turbo gpt-3.5-turbo-0301 gpt-3.5-turbo-0613 gpt-3.5-turbo-1106 gpt-3.5-turbo-0125 gpt-3.5-turbo-16k gpt-35-turbo-16k gpt-3.5-turbo-16k-0613 gpt-3.5-turbo-instruct gpt-3.5-turbo-instruct-0914 davinci-002 babbage-002 text-embedding-ada-002 text-embedding-3-small text-embedding-3-large",
  ],
  [
    "p50k_base",
    "text-davinci-003 text-davinci-002 text-davinci-edit-001 code-davinci-edit-001 code-davinci-002 code-davinci-001 code-cushman-002 code-cushman-001 davinci-codex cushman-codex",
  ],
  [
    "r50k_base",
    "text-davinci-001 text-curie-001 text-babbage-001 text-ada-001 davinci curie babbage ada text-similarity-davinci-001 text-similarity-curie-001 text-similarity-babbage-001 text-similarity-ada-001 text-search-davinci-doc-001 text-search-curie-doc-001 text-search-babbage-doc-001 text-search-ada-doc-001 code-search-babbage-code-001 code-search-ada-code-001 gpt2 gpt-2",
  ],
  ["o200k_harmony", "gpt-oss-120b gpt-oss-20b gpt-oss-safeguard-20b gpt-oss-safeguard-120b gpt-oss:120b gpt-oss:20b"],
]

/**
 * tiktoken maps every name that begins with "gpt-5" to o200k_base. This pattern is stricter: only a version or a kind may
 * follow. gpt-6 is not in tiktoken's table, so its tokens are estimated.
 */
const GPT_5 = /^gpt-5(?:[.-][a-z0-9.-]+)?$/

let encodingByModel: ReadonlyMap<string, EncodingName> | undefined

/**
 * Returns the name of a model's encoding, or undefined if its tokenizer is not public. Routers, clouds, variants, dates and
 * fine-tuning do not change it: `ft:gpt-4o-mini-2024-07-18:my-org::id` has the encoding of `gpt-4o-mini`.
 *
 * @throws InvalidArgumentError if `model` is not a model id
 */
export function encodingNameOf(model: string): EncodingName | undefined {
  encodingByModel ??= new Map(
    MODELS.flatMap(([encoding, models]) => models.split(" ").map((name) => [name, encoding] as const)),
  )
  for (const key of parseModelId(model).modelKeys) {
    const name = nameOfOpenAI(key)
    if (name === undefined) continue
    const encoding = encodingByModel.get(name)
    if (encoding !== undefined) return encoding
    if (GPT_5.test(name)) return "o200k_base"
  }
  return undefined
}

/** Returns the model name if the model is OpenAI's: served by OpenAI, or an open-weight model served by anyone. */
function nameOfOpenAI(key: string): string | undefined {
  const slash = key.lastIndexOf("/")
  const name = key.slice(slash + 1)
  const isOpenAI = slash === -1 || key.slice(0, slash) === "openai"
  return isOpenAI || name.startsWith("gpt-oss") ? name : undefined
}
