/**
 * What a call used, in tokens. Totals are inclusive: `inputTokens` contains what was read from and written to a cache,
 * audio and images; `outputTokens` contains reasoning, audio and images. Every count is an integer ≥ 0; absent means 0.
 */
export interface Usage {
  inputTokens: number
  outputTokens: number
  /** Part of `inputTokens` that was read from the provider's cache. */
  cacheReadTokens?: number | undefined
  /** Part of `inputTokens` that was written to the provider's cache for its default time (5 minutes at Anthropic). */
  cacheWriteTokens?: number | undefined
  /** Part of `inputTokens` that was written to the provider's cache for one hour. */
  cacheWrite1hTokens?: number | undefined
  audioInputTokens?: number | undefined
  imageInputTokens?: number | undefined
  /** Part of `outputTokens` that the model thought and did not say. */
  reasoningTokens?: number | undefined
  audioOutputTokens?: number | undefined
  imageOutputTokens?: number | undefined
  /** Number of web searches that the provider ran and bills by the piece. */
  webSearches?: number | undefined
  /**
   * What the provider sent, untouched up to 16 KiB of JSON: token classes that this type does not name are kept here.
   */
  raw?: unknown
}

/** The counts of {@link Usage}, in the order in which they are printed. */
export const USAGE_COUNTS = [
  "inputTokens",
  "cacheReadTokens",
  "cacheWriteTokens",
  "cacheWrite1hTokens",
  "audioInputTokens",
  "imageInputTokens",
  "outputTokens",
  "reasoningTokens",
  "audioOutputTokens",
  "imageOutputTokens",
  "webSearches",
] as const satisfies readonly (keyof Usage)[]

/**
 * How a cost is known:
 * - `provider`: the provider said so;
 * - `table`: computed from reported usage and the published price;
 * - `custom`: the same with the user's own price;
 * - `bound`: usage is unknown, so the most that may have been billed was charged;
 * - `none`: nothing was billed.
 */
export type CostSource = "provider" | "table" | "custom" | "bound" | "none"

/** The sum of usages, count by count. `raw` becomes the list of the raw values that were present. */
export function addUsage(...usages: readonly Usage[]): Usage {
  const sum: Usage = { inputTokens: 0, outputTokens: 0 }
  for (const usage of usages)
    for (const count of USAGE_COUNTS) {
      const value = usage[count]
      if (value !== undefined) sum[count] = (sum[count] ?? 0) + value
    }
  const raw = usages.flatMap((usage) => (usage.raw === undefined ? [] : [usage.raw]))
  if (raw.length > 0) sum.raw = raw
  return sum
}
