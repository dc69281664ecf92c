import { USAGE_COUNTS, type Usage } from "@p2/core"
import { type ReportedCost, reportedByOpenRouter } from "@p2/pricing"
import { boundedRaw } from "./bounded-raw"

/** Beyond it a cost is no number of nano-USD any more, and no call costs as much: one million USD. */
const MAX_COST_USD = 1_000_000

/** What a provider said a call used and cost. */
export interface ReportedUsage {
  usage: Usage
  /** What OpenRouter says that it charged; undefined unless that is an amount. */
  cost: ReportedCost | undefined
  /** The counts contradict each other. `usage` is then the least that fits them all, and proves no more than that. */
  doubtful: boolean
}

/**
 * Reads `usage` of a chat completion, wherever the provider hides its parts: OpenAI's details, DeepSeek's cache hits,
 * Anthropic's cache writes, OpenRouter's cost. Undefined unless both totals are counts: half a usage proves nothing.
 *
 * Where `total_tokens` is more than input plus output, or the reasoning more than the output (xAI and Gemini leave
 * reasoning out of `completion_tokens`), the rest was thought, and is billed as output.
 */
export function usageFromWire(raw: unknown): ReportedUsage | undefined {
  if (!isRecord(raw)) return undefined
  const input = count(raw.prompt_tokens)
  const completion = count(raw.completion_tokens)
  if (input === undefined || completion === undefined) return undefined
  const prompt = partsOf(raw.prompt_tokens_details)
  const output = partsOf(raw.completion_tokens_details)
  const total = count(raw.total_tokens) ?? input + completion
  const reasoning = count(output.reasoning_tokens) ?? 0
  const unsaid = Math.max(total - input - completion, reasoning > completion ? reasoning : 0, 0)
  const usage: Usage = { inputTokens: input, outputTokens: completion + unsaid, raw: boundedRaw(raw) }
  put(usage, "cacheReadTokens", count(prompt.cached_tokens) ?? count(raw.prompt_cache_hit_tokens))
  put(usage, "cacheWriteTokens", count(prompt.cache_write_tokens) ?? count(raw.cache_creation_input_tokens))
  put(usage, "audioInputTokens", count(prompt.audio_tokens))
  put(usage, "imageInputTokens", count(prompt.image_tokens))
  put(usage, "reasoningTokens", Math.max(unsaid, reasoning))
  put(usage, "audioOutputTokens", count(output.audio_tokens))
  put(usage, "imageOutputTokens", count(output.image_tokens))
  const server = partsOf(raw.server_tool_use)
  put(usage, "webSearches", count(server.web_search_requests))
  const doubtful = raiseToParts(usage)
  return { usage, cost: amount(reportedByOpenRouter(raw)), doubtful }
}

/** The most that either said, count by count: a usage that grows while the answer does never shrinks. */
export function mostOf(before: ReportedUsage, after: ReportedUsage): ReportedUsage {
  const usage: Usage = { ...before.usage, raw: after.usage.raw }
  for (const key of USAGE_COUNTS) put(usage, key, Math.max(usage[key] ?? 0, after.usage[key] ?? 0))
  const costs = [before.cost, after.cost].filter((cost) => cost !== undefined)
  const cost = costs.sort((a, b) => Number(b.costUsd) - Number(a.costUsd))[0]
  return { usage, cost, doubtful: raiseToParts(usage) || before.doubtful || after.doubtful }
}

/** A part that is more than its whole was counted beside it (Anthropic's own shape), or is wrong. */
function raiseToParts(usage: Usage): boolean {
  const { cacheReadTokens = 0, cacheWriteTokens = 0, audioInputTokens = 0, imageInputTokens = 0 } = usage
  const { reasoningTokens = 0, audioOutputTokens = 0, imageOutputTokens = 0 } = usage
  const input = Math.max(cacheReadTokens + cacheWriteTokens, audioInputTokens + imageInputTokens)
  const output = Math.max(reasoningTokens, audioOutputTokens + imageOutputTokens)
  const doubtful = input > usage.inputTokens || output > usage.outputTokens
  if (input > usage.inputTokens) usage.inputTokens += input
  if (output > usage.outputTokens) usage.outputTokens += output
  return doubtful
}

/** Nothing is written for nothing. */
function put(usage: Usage, key: Exclude<keyof Usage, "raw">, value: number | undefined): void {
  if (value !== undefined && value > 0) usage[key] = value
}

/** A cost below nothing, or beyond all bounds, was not charged: it is as if none was said. */
function amount(cost: ReportedCost | undefined): ReportedCost | undefined {
  if (cost === undefined) return undefined
  const said = [cost.costUsd, cost.upstreamInferenceCost ?? 0].map(Number)
  return said.every((usd) => usd >= 0 && usd <= MAX_COST_USD) ? cost : undefined
}

function partsOf(value: unknown): Record<string, unknown> {
  return isRecord(value) ? value : {}
}

function count(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}
