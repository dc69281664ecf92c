import type { Usage } from "@p2/core"
import { type ReportedCost, reportedByOpenRouter } from "@p2/pricing"

/** What a provider said a call used and cost. */
export interface ReportedUsage {
  usage: Usage
  /** What OpenRouter says that it charged. */
  cost: ReportedCost | undefined
}

/**
 * Reads `usage` of a chat completion, wherever the provider hides its parts: OpenAI's details, DeepSeek's cache hits,
 * Anthropic's cache writes, OpenRouter's cost. Undefined unless both totals are counts: half a usage proves nothing.
 *
 * Where `total_tokens` is more than input plus output (xAI and Gemini leave reasoning out of `completion_tokens`), the
 * rest was thought, and is billed as output.
 */
export function usageFromWire(raw: unknown): ReportedUsage | undefined {
  if (!isRecord(raw)) return undefined
  const input = count(raw.prompt_tokens)
  const completion = count(raw.completion_tokens)
  if (input === undefined || completion === undefined) return undefined
  const total = count(raw.total_tokens) ?? input + completion
  const unsaid = Math.max(0, total - input - completion)
  const usage: Usage = { inputTokens: input, outputTokens: completion + unsaid, raw }
  const prompt = isRecord(raw.prompt_tokens_details) ? raw.prompt_tokens_details : {}
  const output = isRecord(raw.completion_tokens_details) ? raw.completion_tokens_details : {}
  put(usage, "cacheReadTokens", count(prompt.cached_tokens) ?? count(raw.prompt_cache_hit_tokens), input)
  put(usage, "cacheWriteTokens", count(prompt.cache_write_tokens) ?? count(raw.cache_creation_input_tokens), input)
  put(usage, "audioInputTokens", count(prompt.audio_tokens), input)
  put(usage, "imageInputTokens", count(prompt.image_tokens), input)
  put(usage, "reasoningTokens", Math.max(unsaid, count(output.reasoning_tokens) ?? 0), usage.outputTokens)
  put(usage, "audioOutputTokens", count(output.audio_tokens), usage.outputTokens)
  put(usage, "imageOutputTokens", count(output.image_tokens), usage.outputTokens)
  const server = isRecord(raw.server_tool_use) ? raw.server_tool_use : {}
  put(usage, "webSearches", count(server.web_search_requests), Number.MAX_SAFE_INTEGER)
  return { usage, cost: reportedByOpenRouter(raw) }
}

/** A part is never more than its whole, and nothing is written for nothing. */
function put(usage: Usage, key: Exclude<keyof Usage, "raw">, value: number | undefined, whole: number): void {
  if (value !== undefined && value > 0) usage[key] = Math.min(value, whole)
}

function count(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}
