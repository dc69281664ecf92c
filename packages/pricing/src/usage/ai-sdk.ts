import { InvalidArgumentError, type Usage } from "@p2/core"
import { readStrictly } from "./read-usage"
import { inclusiveTotals } from "./token-totals"
import { isRecord, type UsageFields, type UsageReadOptions } from "./usage-fields"
import { usageOf } from "./usage-parts"

const NAMES: ReadonlySet<string> = /* @__PURE__ */ new Set(["ignoreFields", "cachedInputTokens"])

/** Options of `usageFromAISDK`. */
export interface AISDKUsageOptions extends UsageReadOptions {
  /**
   * Whether `inputTokens` of AI SDK 5's flat usage includes `cachedInputTokens`: `"included"` with its OpenAI provider,
   * `"separate"` with its Anthropic provider. Later versions state it in the usage.
   * @defaultValue "separate", the more expensive reading
   */
  cachedInputTokens?: "included" | "separate" | undefined
}

/**
 * Reads the usage of the AI SDK: `result.usage` of version 4 (`promptTokens`), 5 and 6 (flat, with or without details), and
 * the nested usage of provider specifications v3 and v4 (`inputTokens: { total, noCache, cacheRead, cacheWrite }`). For
 * embeddings it reads `tokens`.
 *
 * @throws InvalidArgumentError if a total is missing or a count is not an integer, UnknownUsageError for an unknown field
 * @see https://ai-sdk.dev/docs/reference/ai-sdk-core/generate-text#usage
 * @example
 * usageFromAISDK({ inputTokens: 100, outputTokens: 20, inputTokenDetails: { cacheReadTokens: 80 } })
 * // { inputTokens: 100, outputTokens: 20, cacheReadTokens: 80, raw: … }
 */
export function usageFromAISDK(usage: unknown, options: AISDKUsageOptions = {}): Usage {
  const { cachedInputTokens = "separate" } = options
  if (!["included", "separate"].includes(cachedInputTokens))
    throw new InvalidArgumentError("cachedInputTokens", '"included" or "separate"', cachedInputTokens)
  const read = (fields: UsageFields) => {
    const isNested = fields.isObject("inputTokens") || fields.isObject("outputTokens")
    const writeHour = hourWritesIn(fields)
    const usage = isNested ? readNested(fields) : readFlat(fields, cachedInputTokens)
    return withHourWrites(usage, writeHour)
  }
  return readStrictly(usage, options, read, { names: NAMES })
}

/** The provider's own usage says which cache writes are for one hour. The counts of the AI SDK do not. */
function hourWritesIn(fields: UsageFields): number {
  const raw = fields.raw("raw")
  const holders = [raw, recordOf(raw.prompt_tokens_details), recordOf(raw.input_tokens_details)]
  const details = holders.flatMap((each) => [each.cache_creation, each.cache_creation_token_details]).map(recordOf)
  return Math.max(0, ...details.map((each) => each.ephemeral_1h_input_tokens).filter(isCount))
}

function withHourWrites({ cacheWriteTokens = 0, ...usage }: Usage, writeHour: number): Usage {
  const cacheWrite1hTokens = Math.min(writeHour, cacheWriteTokens)
  const minutes = cacheWriteTokens - cacheWrite1hTokens
  return {
    ...usage,
    ...(minutes > 0 ? { cacheWriteTokens: minutes } : {}),
    ...(cacheWrite1hTokens > 0 ? { cacheWrite1hTokens } : {}),
  }
}

function recordOf(value: unknown): Record<string, unknown> {
  return isRecord(value) ? value : {}
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value)
}

function readNested(fields: UsageFields): Usage {
  const input = fields.inner("inputTokens")
  const output = fields.inner("outputTokens")
  const cacheRead = input.count("cacheRead")
  const cacheWrite = input.count("cacheWrite")
  const fresh = input.optional("noCache")
  const reasoning = output.count("reasoning")
  const textTokens = output.optional("text")
  const inputParts = (fresh ?? 0) + cacheRead + cacheWrite
  const outputParts = (textTokens ?? 0) + reasoning
  const inputTotal = fresh === undefined ? input.required("total") : (input.optional("total") ?? inputParts)
  const outputTotal = textTokens === undefined ? output.required("total") : (output.optional("total") ?? outputParts)
  return usageOf(Math.max(inputTotal, inputParts), Math.max(outputTotal, outputParts), {
    cacheReadTokens: cacheRead,
    cacheWriteTokens: cacheWrite,
    reasoningTokens: reasoning,
  })
}

function readFlat(fields: UsageFields, cacheCount: "included" | "separate"): Usage {
  if (fields.has("tokens") && !fields.has("inputTokens")) return usageOf(fields.required("tokens"), 0, {})
  const isVersion4 = fields.has("promptTokens")
  const details = fields.inner("inputTokenDetails")
  const outputDetails = fields.inner("outputTokenDetails").ignore("textTokens")
  const read = details.count("cacheReadTokens")
  const write = details.count("cacheWriteTokens")
  const fresh = details.optional("noCacheTokens")
  const cached = Math.max(read, fields.count("cachedInputTokens"))
  const isIncluded = read > 0 || fresh !== undefined || cacheCount === "included"
  const input = fields.required(isVersion4 ? "promptTokens" : "inputTokens")
  const output = fields.required(isVersion4 ? "completionTokens" : "outputTokens")
  const totals = inclusiveTotals({
    input: Math.max(input, fresh === undefined ? 0 : fresh + cached + write),
    output,
    total: fields.optional("totalTokens"),
    cacheRead: { tokens: cached, isIncluded },
    cacheWrite: { tokens: write, isIncluded: true },
    reasoning: outputDetails.count("reasoningTokens") || fields.count("reasoningTokens"),
    mediaInput: 0,
    mediaOutput: 0,
    reasoningCount: "included",
  })
  fields.ignore("reasoningTokens")
  return usageOf(totals.inputTokens, totals.outputTokens, {
    cacheReadTokens: cached,
    cacheWriteTokens: write,
    reasoningTokens: totals.reasoningTokens,
    assumptions: totals.assumptions,
  })
}
