import { InvalidArgumentError, type Usage } from "@p2/core"
import { readForMeter, readStrictly, type UsageReading } from "./read-usage"
import { isRecord, type UsageFields, type UsageReadOptions } from "./usage-fields"
import { usageOf, withTierAndRegion } from "./usage-parts"

/**
 * Reads `usage` of Anthropic's Messages API. `input_tokens` does not include the cache counts, so the input is the sum of the
 * three. Cache writes for one hour are counted separately if `cache_creation` lists them. If `iterations` lists several passes
 * of the model, they are summed. The reported service tier and region determine the price in `costOf`.
 *
 * For a stream, merge the usage of `message_start` and `message_delta` first: `mergeAnthropicUsage`.
 *
 * @throws InvalidArgumentError if a total is missing or a count is not an integer, UnknownUsageError for an unknown field
 * @see https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching#tracking-cache-performance
 * @example
 * usageFromAnthropic({ input_tokens: 10, output_tokens: 5, cache_read_input_tokens: 1000 })
 * // { inputTokens: 1010, outputTokens: 5, cacheReadTokens: 1000, raw: … }
 */
export function usageFromAnthropic(usage: unknown, options: UsageReadOptions = {}): Usage {
  return readStrictly(usage, options, (fields) => readAnthropic(fields))
}

/** The time for which tokens were written to the cache, if the usage does not say it. */
type WriteTime = "5m" | "1h"

/**
 * Reads the usage of Anthropic's Messages API for a meter. For a stream, pass the merged usage of its events.
 *
 * @param writesWithoutTime the time of cache writes that `cache_creation` does not list: `1h` if the call can cause such
 */
export function readAnthropicUsage(usage: unknown, writesWithoutTime: WriteTime = "5m"): UsageReading {
  return readForMeter(usage, undefined, (fields) => readAnthropic(fields, writesWithoutTime))
}

function readAnthropic(fields: UsageFields, writesWithoutTime: WriteTime = "5m"): Usage {
  const whole = readCounts(fields, writesWithoutTime)
  const passes = fields.innerArray("iterations").map((pass) => {
    const counts = readCounts(pass, writesWithoutTime)
    if (pass.string("type")?.startsWith("advisor"))
      pass.reportUnknown("input_tokens", counts.input, "Another model used it: price each pass with its own model.")
    return counts
  })
  const counts = passes.length === 0 ? whole : maxOf(whole, passes.reduce(add))
  const tools = fields.inner("server_tool_use").ignore("web_fetch_requests", "tool_search_requests")
  const webSearches = tools.count("web_search_requests")
  // A request runs its code in at most one container, which is billed by the hour.
  const codeInterpreterSessions = Math.min(tools.count("code_execution_requests"), 1)
  const reasoning = fields.inner("output_tokens_details").count("thinking_tokens")
  const { input, output, read, write, writeHour } = counts
  const inputTokens = input + write + read
  const stated = Math.max(output, reasoning)
  // MiniMax and Zhipu add a total to Anthropic's format.
  const unnamed = Math.max((fields.optional("total_tokens") ?? 0) - inputTokens - stated, 0)
  const result = usageOf(inputTokens, stated + unnamed, {
    cacheReadTokens: read,
    cacheWriteTokens: write - writeHour,
    cacheWrite1hTokens: writeHour,
    reasoningTokens: reasoning,
    webSearches,
    codeInterpreterSessions,
    assumptions: unnamed > 0 ? ["tokens that only the total contains were counted as output"] : [],
  })
  return withTierAndRegion(result, fields)
}

interface AnthropicCounts {
  readonly input: number
  readonly output: number
  readonly read: number
  readonly write: number
  readonly writeHour: number
}

function readCounts(fields: UsageFields, writesWithoutTime: WriteTime): AnthropicCounts {
  const creation = fields.inner("cache_creation")
  // new-api repeats the counts at the top: https://github.com/QuantumNous/new-api/blob/main/dto/claude.go
  const listedHour = Math.max(
    creation.count("ephemeral_1h_input_tokens"),
    fields.count("claude_cache_creation_1_h_tokens"),
  )
  const writeMinutes = Math.max(
    creation.count("ephemeral_5m_input_tokens"),
    fields.count("claude_cache_creation_5_m_tokens"),
  )
  const read = fields.count("cache_read_input_tokens")
  const write = Math.max(fields.count("cache_creation_input_tokens"), listedHour + writeMinutes)
  const writeHour = writesWithoutTime === "1h" ? write - writeMinutes : listedHour
  return { input: fields.required("input_tokens"), output: fields.required("output_tokens"), read, write, writeHour }
}

function add(a: AnthropicCounts, b: AnthropicCounts): AnthropicCounts {
  return combine(a, b, (x, y) => x + y)
}

function maxOf(a: AnthropicCounts, b: AnthropicCounts): AnthropicCounts {
  return combine(a, b, Math.max)
}

function combine(a: AnthropicCounts, b: AnthropicCounts, by: (x: number, y: number) => number): AnthropicCounts {
  return {
    input: by(a.input, b.input),
    output: by(a.output, b.output),
    read: by(a.read, b.read),
    write: by(a.write, b.write),
    writeHour: by(a.writeHour, b.writeHour),
  }
}

/**
 * Merges the `usage` of the events of one Anthropic stream, in order: `message_start.message.usage`, then that of each
 * `message_delta`. Counts are cumulative, and a later event may omit some, so the maximum of each count is taken.
 *
 * @throws InvalidArgumentError if there is no usage
 * @example
 * usageFromAnthropic(mergeAnthropicUsage([start.message.usage, delta.usage]))
 */
export function mergeAnthropicUsage(usages: readonly unknown[]): Record<string, unknown> {
  if (!Array.isArray(usages) || !usages.some(isRecord))
    throw new InvalidArgumentError("usages", "an array of the usage objects of a stream, in order", usages)
  return usages.filter(isRecord).reduce((before, after) => mergeRecords(before, after, 0), {})
}

/** Usage is nested two levels deep. A limit keeps a hostile response from overflowing the stack. */
const MAX_DEPTH = 8

function mergeRecords(
  before: Record<string, unknown>,
  after: Record<string, unknown>,
  depth: number,
): Record<string, unknown> {
  const merged = new Map(Object.entries(before))
  for (const [name, value] of Object.entries(after)) {
    const previous = merged.get(name)
    if (value === undefined || value === null) continue
    if (typeof previous === "number" && typeof value === "number") merged.set(name, Math.max(previous, value))
    else if (isRecord(previous) && isRecord(value) && depth < MAX_DEPTH)
      merged.set(name, mergeRecords(previous, value, depth + 1))
    else merged.set(name, value)
  }
  // Unlike an assignment, this cannot set the prototype.
  return Object.fromEntries(merged)
}
