/**
 * What a call used, in tokens. Totals are inclusive: `inputTokens` includes cached tokens, audio and images; `outputTokens`
 * includes reasoning, audio and images. Every count is an integer from 0; an absent one is 0.
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
  /** Part of `outputTokens` that is hidden reasoning. */
  reasoningTokens?: number | undefined
  audioOutputTokens?: number | undefined
  imageOutputTokens?: number | undefined
  /** Web searches that the provider ran and bills by number. */
  webSearches?: number | undefined
  /**
   * The usage as the provider sent it, up to 16 KiB of JSON. Also has token classes that this type does not name.
   */
  raw?: unknown
}

/** The names of all counts in {@link Usage}, in the order in which they are printed. */
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
 * Where a cost comes from:
 * - `provider`: the provider reported it;
 * - `table`: computed from reported usage and the published price;
 * - `custom`: computed from reported usage and the caller's own price;
 * - `bound`: usage is unknown, so the upper bound was charged;
 * - `none`: nothing was billed.
 */
export type CostSource = "provider" | "table" | "custom" | "bound" | "none"

/** The sum of usages, count by count. `raw` is the array of all `raw` values that are present. */
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
