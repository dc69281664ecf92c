import { InvalidArgumentError } from "./errors"
import { checkOptions } from "./options/check-options"

/**
 * What a call used: tokens, and pieces that providers bill. Totals are inclusive: `inputTokens` includes cached tokens, audio
 * and images; `outputTokens` includes reasoning, audio and images. Every count is an integer of at least 0. An absent count is
 * 0, except for a model that is billed by it: then it is an error.
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
  /** Searches in files or vector stores that the provider ran. */
  fileSearches?: number | undefined
  /** Code interpreter containers of 1 GB that the provider started. Count a container of 4 GB as four: see `@p2/pricing`. */
  codeInterpreterSessions?: number | undefined
  /** Generated images, for models that are billed by the image. */
  outputImages?: number | undefined
  /** Seconds of audio, rounded up, for models that are billed by the second. */
  audioSeconds?: number | undefined
  /** Characters of text to speak, for models that are billed per character. */
  inputCharacters?: number | undefined
  /** Number of calls in this usage. @defaultValue 1 */
  calls?: number | undefined
  /** Service tier that the provider reported inside the usage (Anthropic). It decides the price unless an option overrides it. */
  serviceTier?: string | undefined
  /** Region that the provider reported inside the usage (Anthropic). It decides the price unless an option overrides it. */
  region?: string | undefined
  /** For each ambiguity in the provider's usage, the reading that was taken. It is always the more expensive one. */
  assumptions?: readonly string[] | undefined
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
  "fileSearches",
  "codeInterpreterSessions",
  "outputImages",
  "audioSeconds",
  "inputCharacters",
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

/** The value of `serviceTier` and `region` in a sum of usages that differ in it. No price table lists it. */
const MIXED = "mixed"

const NAMES: ReadonlySet<string> = /* @__PURE__ */ new Set([
  ...USAGE_COUNTS,
  "calls",
  "serviceTier",
  "region",
  "assumptions",
  "raw",
])

/**
 * The sum of usages, count by count. `calls` is their number of calls, if one of them states it. If the usages differ in
 * `serviceTier` or `region`, the sum has `"mixed"`, for which no price is listed: price such usages one by one. `assumptions`
 * has each assumption once, and `raw` is the array of all `raw` values that are present.
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
  if (usages.some(({ calls }) => calls !== undefined))
    sum.calls = usages.reduce((total, { calls = 1 }) => total + calls, 0)
  for (const name of ["serviceTier", "region"] as const) {
    const values = [...new Set(usages.map((usage) => usage[name]))]
    const value = values.length > 1 ? MIXED : values[0]
    if (value !== undefined) sum[name] = value
  }
  const assumptions = [...new Set(usages.flatMap((usage) => usage.assumptions ?? []))]
  if (assumptions.length > 0) sum.assumptions = assumptions
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
  if (usage.calls !== undefined && (!Number.isSafeInteger(usage.calls) || usage.calls < 1))
    throw new InvalidArgumentError(`${path}.calls`, "an integer of at least 1", usage.calls)
}
