import { InvalidArgumentError } from "./errors"
import { checkOptions } from "./options/check-options"

/**
 * The tokens that a call used. Totals are inclusive: `inputTokens` includes cached tokens, audio and images; `outputTokens`
 * includes reasoning, audio and images. Every count is an integer of at least 0; an absent count is 0.
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

const NAMES: ReadonlySet<string> = /* @__PURE__ */ new Set([...USAGE_COUNTS, "raw"])

/**
 * The sum of usages, count by count. `raw` is the array of all `raw` values that are present.
 * @throws InvalidArgumentError if a usage has an unknown field, lacks a total, or has a count that is not an integer of at least 0
 */
export function addUsage(...usages: readonly Usage[]): Usage {
  const sum: Usage = { inputTokens: 0, outputTokens: 0 }
  usages.forEach(checkUsage)
  for (const usage of usages)
    for (const count of USAGE_COUNTS) {
      const value = usage[count]
      if (value !== undefined) sum[count] = (sum[count] ?? 0) + value
    }
  const raw = usages.flatMap((usage) => (usage.raw === undefined ? [] : [usage.raw]))
  if (raw.length > 0) sum.raw = raw
  return sum
}

function checkUsage(usage: Usage, index: number): void {
  const path = `usages[${index}]`
  checkOptions(usage, NAMES, path)
  for (const name of USAGE_COUNTS) {
    const count = usage[name]
    const isRequired = name === "inputTokens" || name === "outputTokens"
    if (count === undefined ? isRequired : !Number.isSafeInteger(count) || count < 0)
      throw new InvalidArgumentError(`${path}.${name}`, "an integer of at least 0", count)
  }
}
