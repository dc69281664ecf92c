import type { Usage } from "@p2/core"
import { UnknownUsageError } from "../errors"
import { UsageFields, type UsageReadOptions, usageWith } from "./usage-fields"

/** How the modalities of Gemini are billed: text, images and video have one price, audio has another. */
const MODALITIES: Readonly<Record<string, "text" | "image" | "audio">> = {
  MODALITY_UNSPECIFIED: "text",
  TEXT: "text",
  DOCUMENT: "text",
  IMAGE: "image",
  VIDEO: "image",
  AUDIO: "audio",
}

/**
 * Reads `usageMetadata` of Gemini. The candidates do not include thoughts, and the prompt does not include tool results, so both
 * are added; the prompt includes cached tokens. A blocked call has no candidates, which counts as 0. Tokens that only the total
 * contains are counted as thoughts.
 *
 * @throws InvalidArgumentError if `promptTokenCount` is missing or a count is not an integer, UnknownUsageError for an
 * unknown field or modality
 * @see https://ai.google.dev/api/generate-content#UsageMetadata
 */
export function usageFromGemini(usageMetadata: unknown, options: UsageReadOptions = {}): Usage {
  const fields = new UsageFields(usageMetadata, "usageMetadata").ignore("cacheTokensDetails")
  const toolInput = fields.count("toolUsePromptTokenCount")
  const inputTokens = fields.required("promptTokenCount") + toolInput
  // In the Live API the field is `responseTokenCount`.
  const candidates = fields.optional("candidatesTokenCount") ?? fields.count("responseTokenCount")
  const thoughts = fields.count("thoughtsTokenCount")
  const total = fields.optional("totalTokenCount") ?? 0
  const input = sumByModality(fields, ["promptTokensDetails", "toolUsePromptTokensDetails"])
  const output = sumByModality(fields, ["candidatesTokensDetails", "responseTokensDetails"])
  const cacheReadTokens = fields.count("cachedContentTokenCount")
  fields.finish(options)
  const unnamed = Math.max(total - inputTokens - candidates - thoughts, 0)
  return usageWith(
    Math.max(inputTokens, input.audio + input.image),
    Math.max(candidates, output.audio + output.image) + thoughts + unnamed,
    usageMetadata,
    {
      cacheReadTokens,
      audioInputTokens: input.audio,
      imageInputTokens: input.image,
      reasoningTokens: thoughts + unnamed,
      audioOutputTokens: output.audio,
      imageOutputTokens: output.image,
    },
    unnamed > 0 ? ["tokens that only the total contains were counted as reasoning"] : [],
  )
}

function sumByModality(fields: UsageFields, names: readonly string[]): Record<"text" | "image" | "audio", number> {
  const sums = { text: 0, image: 0, audio: 0 }
  for (const name of names)
    for (const [index, detail] of fields.array(name).entries()) {
      const path = `usageMetadata.${name}[${index}]`
      const part = new UsageFields(detail, path)
      const tokens = part.count("tokenCount")
      const kind = MODALITIES[part.string("modality") ?? "TEXT"]
      if (kind === undefined && tokens > 0) throw new UnknownUsageError(path, tokens, "Update @p2/pricing.")
      sums[kind ?? "text"] += tokens
    }
  return sums
}
