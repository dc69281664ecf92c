import { USAGE_COUNTS, type Usage } from "@p2/core"
import { type ReportedCost, reportedByOpenRouter } from "@p2/pricing"
import { isRecord } from "./json"

/** A reported cost above one million USD is ignored: no call costs that much. */
const MAX_COST_USD = 1_000_000

/** The longest `usage.raw`, in characters of JSON. Real ones have a few hundred. */
const MAX_RAW_LENGTH = 16_384

/** The usage and the cost of a call, as the provider reported them. */
export interface ReportedUsage {
  usage: Usage
  /** The charge that OpenRouter reports; undefined if it is missing or implausible. */
  cost: ReportedCost | undefined
  /** The counts contradict each other. `usage` is then the smallest usage that contains them all, a lower bound. */
  doubtful: boolean
}

/**
 * Parses `usage` of a chat completion: OpenAI's details, DeepSeek's cache hits, Anthropic's cache writes, OpenRouter's
 * cost. Returns undefined unless both totals are counts, because a cost needs both.
 *
 * Where `total_tokens` exceeds input plus output, or reasoning exceeds the output (xAI and Gemini leave reasoning out of
 * `completion_tokens`), the difference is reasoning and is billed as output.
 */
export function parseUsage(raw: unknown): ReportedUsage | undefined {
  if (!isRecord(raw)) return undefined
  const input = count(raw.prompt_tokens)
  const completion = count(raw.completion_tokens)
  if (input === undefined || completion === undefined) return undefined
  const prompt = recordOrEmpty(raw.prompt_tokens_details)
  const output = recordOrEmpty(raw.completion_tokens_details)
  const total = count(raw.total_tokens) ?? input + completion
  const reasoning = count(output.reasoning_tokens) ?? 0
  const excluded = Math.max(total - input - completion, reasoning > completion ? reasoning : 0, 0)
  const usage: Usage = { inputTokens: input, outputTokens: completion + excluded, raw: boundedRaw(raw) }
  put(usage, "cacheReadTokens", count(prompt.cached_tokens) ?? count(raw.prompt_cache_hit_tokens))
  put(usage, "cacheWriteTokens", count(prompt.cache_write_tokens) ?? count(raw.cache_creation_input_tokens))
  put(usage, "audioInputTokens", count(prompt.audio_tokens))
  put(usage, "imageInputTokens", count(prompt.image_tokens))
  put(usage, "reasoningTokens", Math.max(excluded, reasoning))
  put(usage, "audioOutputTokens", count(output.audio_tokens))
  put(usage, "imageOutputTokens", count(output.image_tokens))
  put(usage, "webSearches", count(recordOrEmpty(raw.server_tool_use).web_search_requests))
  const doubtful = raiseTotals(usage)
  return { usage, cost: plausibleCost(reportedByOpenRouter(raw)), doubtful }
}

/** The larger of two reports, count by count. A running usage only grows, so a smaller later report is wrong. */
export function largerUsage(first: ReportedUsage, second: ReportedUsage): ReportedUsage {
  const usage: Usage = { ...first.usage, raw: second.usage.raw }
  for (const key of USAGE_COUNTS) put(usage, key, Math.max(usage[key] ?? 0, second.usage[key] ?? 0))
  const costs = [first.cost, second.cost].filter((cost) => cost !== undefined)
  const cost = costs.sort((a, b) => Number(b.costUsd) - Number(a.costUsd))[0]
  return { usage, cost, doubtful: raiseTotals(usage) || first.doubtful || second.doubtful }
}

/**
 * Raises the totals to contain their parts, and returns whether they did not. A part that exceeds its total was either
 * counted beside it (Anthropic's native format) or is wrong.
 */
function raiseTotals(usage: Usage): boolean {
  const { cacheReadTokens = 0, cacheWriteTokens = 0, audioInputTokens = 0, imageInputTokens = 0 } = usage
  const { reasoningTokens = 0, audioOutputTokens = 0, imageOutputTokens = 0 } = usage
  const input = Math.max(cacheReadTokens + cacheWriteTokens, audioInputTokens + imageInputTokens)
  const output = Math.max(reasoningTokens, audioOutputTokens + imageOutputTokens)
  const doubtful = input > usage.inputTokens || output > usage.outputTokens
  if (input > usage.inputTokens) usage.inputTokens += input
  if (output > usage.outputTokens) usage.outputTokens += output
  return doubtful
}

/** Sets a count; zero counts are left out. */
function put(usage: Usage, key: Exclude<keyof Usage, "raw">, value: number | undefined): void {
  if (value !== undefined && value > 0) usage[key] = value
}

/** A negative or implausibly large cost counts as not reported. */
function plausibleCost(cost: ReportedCost | undefined): ReportedCost | undefined {
  if (cost === undefined) return undefined
  const amounts = [cost.costUsd, cost.upstreamInferenceCost ?? 0].map(Number)
  return amounts.every((usd) => usd >= 0 && usd <= MAX_COST_USD) ? cost : undefined
}

/** The provider's usage object, or a marker if it is larger than {@link MAX_RAW_LENGTH}. */
function boundedRaw(raw: Record<string, unknown>): Record<string, unknown> {
  try {
    if (JSON.stringify(raw).length <= MAX_RAW_LENGTH) return raw
  } catch {
    // The nesting exceeds the stack.
  }
  return { dropped: true }
}

function recordOrEmpty(value: unknown): Record<string, unknown> {
  return isRecord(value) ? value : {}
}

function count(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined
}
