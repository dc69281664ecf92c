import type { Usage } from "@p2/core"
import { readForMeter, readStrictly, type UsageReading } from "./read-usage"
import type { UsageFields, UsageReadOptions } from "./usage-fields"
import { usageOf } from "./usage-parts"

const NAMES: ReadonlySet<string> = /* @__PURE__ */ new Set(["ignoreFields", "webSearches"])

/** What Gemini reports outside the usage. */
export interface GeminiSearches {
  /**
   * Searches with Google, from the `groundingMetadata` of the candidates: 1 for Gemini 2 if the answer is grounded, the number of
   * `webSearchQueries` for Gemini 3 and later. @defaultValue 0
   */
  webSearches?: number | undefined
}

/** How Gemini's modalities are billed: text, images and video have one price, audio has another. */
const MODALITIES: Readonly<Record<string, "text" | "image" | "audio">> = {
  MODALITY_UNSPECIFIED: "text",
  TEXT: "text",
  DOCUMENT: "text",
  IMAGE: "image",
  VIDEO: "image",
  AUDIO: "audio",
}

/**
 * Reads Gemini's `usageMetadata`. The candidates do not include thoughts, and the prompt does not include tool results,
 * so both are added; the prompt includes cached tokens. A blocked call has no candidates, which counts as 0. Tokens
 * that only the total contains are counted as thoughts.
 *
 * @throws InvalidArgumentError if `promptTokenCount` is missing or a count is not an integer, UnknownUsageError for an
 * unknown field or modality
 * @see https://ai.google.dev/api/generate-content#UsageMetadata
 */
export function usageFromGemini(usageMetadata: unknown, options: UsageReadOptions & GeminiSearches = {}): Usage {
  const read = (fields: UsageFields) => readGemini(fields, options)
  return readStrictly(usageMetadata, options, read, { path: "usageMetadata", names: NAMES })
}

/** Reads Gemini's `usageMetadata` for a meter. Each chunk of a stream has the usage of the whole call so far. */
export function readGeminiUsage(usageMetadata: unknown, searches: GeminiSearches = {}): UsageReading {
  return readForMeter(usageMetadata, undefined, (fields) => readGemini(fields, searches))
}

function readGemini(fields: UsageFields, { webSearches }: GeminiSearches): Usage {
  // `initialPromptTokenCount` is the prompt before continuations, which `promptTokenCount` includes.
  fields.ignore("cacheTokensDetails", "initialPromptTokenCount")
  const toolInput = fields.count("toolUsePromptTokenCount")
  const inputTokens = fields.required("promptTokenCount") + toolInput
  // In the Live API the field is `responseTokenCount`.
  const candidates = fields.optional("candidatesTokenCount") ?? fields.count("responseTokenCount")
  const thoughts = fields.count("thoughtsTokenCount")
  const total = fields.optional("totalTokenCount") ?? 0
  const input = sumByModality(fields, ["promptTokensDetails", "toolUsePromptTokensDetails"])
  const output = sumByModality(fields, ["candidatesTokensDetails", "responseTokensDetails"])
  const cacheReadTokens = fields.count("cachedContentTokenCount")
  const unnamed = Math.max(total - inputTokens - candidates - thoughts, 0)
  return usageOf(
    Math.max(inputTokens, input.audio + input.image),
    Math.max(candidates, output.audio + output.image) + thoughts + unnamed,
    {
      cacheReadTokens,
      audioInputTokens: input.audio,
      imageInputTokens: input.image,
      reasoningTokens: thoughts + unnamed,
      audioOutputTokens: output.audio,
      imageOutputTokens: output.image,
      webSearches,
      assumptions: unnamed > 0 ? ["tokens that only the total contains were counted as reasoning"] : [],
    },
  )
}

function sumByModality(fields: UsageFields, names: readonly string[]): Record<"text" | "image" | "audio", number> {
  const sums = { text: 0, image: 0, audio: 0 }
  for (const name of names)
    for (const part of fields.innerArray(name)) {
      const tokens = part.count("tokenCount")
      const modality = part.string("modality") ?? "TEXT"
      const kind = Object.hasOwn(MODALITIES, modality) ? MODALITIES[modality] : undefined
      if (kind === undefined) part.reportUnknown("tokenCount", tokens, "Its modality is unknown. Update @p2/pricing.")
      sums[kind ?? "text"] += tokens
    }
  return sums
}
