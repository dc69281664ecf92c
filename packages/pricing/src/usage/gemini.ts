import type { Usage } from "@p2/core"
import { UsageFields, usageWith } from "./usage-fields"

/**
 * `usageMetadata` of Gemini. Thoughts are beside the candidates and tool results beside the prompt, so both are added;
 * cached tokens are inside the prompt. A call that was blocked has no candidates, which is none.
 * @throws InvalidArgumentError when `promptTokenCount` is missing or a count is none
 * @see https://ai.google.dev/api/generate-content#UsageMetadata
 */
export function usageFromGemini(usageMetadata: unknown): Usage {
  const fields = new UsageFields(usageMetadata, "usageMetadata")
  const thoughts = fields.count("thoughtsTokenCount") ?? 0
  const input = [...fields.list("promptTokensDetails"), ...fields.list("toolUsePromptTokensDetails")]
  const output = fields.list("candidatesTokensDetails")
  return usageWith(
    fields.total("promptTokenCount") + (fields.count("toolUsePromptTokenCount") ?? 0),
    (fields.count("candidatesTokenCount") ?? 0) + thoughts,
    usageMetadata,
    {
      cacheReadTokens: fields.count("cachedContentTokenCount"),
      audioInputTokens: ofModality(input, "AUDIO"),
      imageInputTokens: ofModality(input, "IMAGE"),
      reasoningTokens: thoughts,
      audioOutputTokens: ofModality(output, "AUDIO"),
      imageOutputTokens: ofModality(output, "IMAGE"),
    },
  )
}

function ofModality(details: readonly unknown[], modality: string): number {
  let tokens = 0
  for (const detail of details) {
    const fields = new UsageFields(detail, "usageMetadata detail")
    if ((detail as { modality?: unknown }).modality === modality) tokens += fields.count("tokenCount") ?? 0
  }
  return tokens
}
