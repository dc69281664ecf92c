import type { Usage } from "@p2/core"
import type { UsageFields } from "./usage-fields"

/** The counts of a usage that may be absent. */
type UsagePart = Exclude<keyof Usage, "raw" | "inputTokens" | "outputTokens" | "assumptions" | "serviceTier" | "region">

/** The counts of a usage, and the readings that were assumed. */
export type UsageParts = { [part in UsagePart]?: number | undefined } & { assumptions?: readonly string[] | undefined }

/**
 * Creates a usage with the parts that are above 0. Parts that exceed their total are counted in addition to it, the more expensive
 * reading, so that `costOf` accepts every usage that is read.
 */
export function usageOf(
  inputTokens: number,
  outputTokens: number,
  { assumptions: given = [], ...parts }: UsageParts,
): Usage {
  const { cacheReadTokens = 0, cacheWriteTokens = 0, cacheWrite1hTokens = 0 } = parts
  const { audioInputTokens = 0, imageInputTokens = 0 } = parts
  const { reasoningTokens = 0, audioOutputTokens = 0, imageOutputTokens = 0 } = parts
  const cached = cacheReadTokens + cacheWriteTokens + cacheWrite1hTokens
  const media = audioInputTokens + imageInputTokens
  const hidden = reasoningTokens + audioOutputTokens + imageOutputTokens
  const assumptions = [...given]
  const containing = (total: number, sum: number, names: string) => {
    if (sum <= total) return total
    assumptions.push(`${names}, so they were counted in addition to it`)
    return total + sum
  }
  const input = containing(inputTokens, cached, "cached tokens exceed the input")
  const usage: Usage = {
    inputTokens: containing(input, media, "audio and image tokens exceed the input"),
    outputTokens: containing(outputTokens, hidden, "audio, image and reasoning tokens exceed the output"),
  }
  for (const [part, value] of Object.entries(parts) as [UsagePart, number | undefined][])
    if (value !== undefined && value > 0) usage[part] = value
  if (assumptions.length > 0) usage.assumptions = assumptions
  return usage
}

/** Adds the service tier and the region that Anthropic reports in a usage, which gateways pass on. */
export function withTierAndRegion(usage: Usage, fields: UsageFields): Usage {
  const serviceTier = fields.string("speed") === "fast" ? "fast" : fields.string("service_tier")
  const region = fields.string("inference_geo")
  return { ...usage, ...(serviceTier && { serviceTier }), ...(region && { region }) }
}
