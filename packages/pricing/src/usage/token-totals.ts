/** The counts of one call. Whether one count includes another may be unknown. */
export interface OpenCounts {
  /** The provider's count of the input or prompt. */
  readonly input: number
  /** The provider's count of the output or completion. */
  readonly output: number
  /** The total, if the provider states one. */
  readonly total: number | undefined
  readonly cacheRead: CacheCount
  readonly cacheWrite: CacheCount
  readonly reasoning: number
  /** Audio plus image tokens of the input. */
  readonly mediaInput: number
  /** Audio plus image tokens of the output. */
  readonly mediaOutput: number
  /** Whether the documented output count includes reasoning: `included` (OpenAI) or `separate` (xAI). */
  readonly reasoningCount: "included" | "separate"
}

/** Cached tokens, and whether the documented input count includes them. */
export interface CacheCount {
  readonly tokens: number
  readonly isIncluded: boolean
}

/** Totals that contain all their parts. */
export interface InclusiveTotals {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly reasoningTokens: number
  readonly assumptions: readonly string[]
}

/**
 * Finds totals that contain every part.
 *
 * Some gateways include cached tokens in the prompt, some do not; some exclude reasoning from the completion. The provider's
 * total decides if possible: tokens that only the total contains are explained by the cache counts first, and only then as
 * reasoning. Whatever remains ambiguous takes the more expensive reading, which `assumptions` reports.
 *
 * Example: prompt 3, completion 50, total 12,357 and 12,304 tokens read from the cache. The total is the sum of the other
 * three, so the input is 12,307.
 */
export function inclusiveTotals(counts: OpenCounts): InclusiveTotals {
  const assumptions: string[] = []
  const excess = Math.max((counts.total ?? 0) - counts.input - counts.output, 0)
  const separate = separateCacheTokens(counts, excess, assumptions)
  let inputTokens = counts.input + separate.tokens
  if (counts.mediaInput > inputTokens) {
    assumptions.push("audio and image tokens exceed the input, so they were counted in addition to it")
    inputTokens += counts.mediaInput
  }
  const rest = excess - separate.inTotal
  const { outputTokens, reasoningTokens } = outputTotals(counts, rest, assumptions)
  return { inputTokens, outputTokens, reasoningTokens, assumptions }
}

interface SeparateCacheTokens {
  /** Cached tokens that the provider's input count does not include. */
  readonly tokens: number
  /** The part of `tokens` that the provider's total includes. */
  readonly inTotal: number
}

function separateCacheTokens(counts: OpenCounts, excess: number, assumptions: string[]): SeparateCacheTokens {
  const caches = [counts.cacheRead, counts.cacheWrite].filter(({ tokens }) => tokens > 0)
  if (caches.length === 0) return { tokens: 0, inTotal: 0 }
  const isReasoning = counts.reasoningCount === "separate" && excess === counts.reasoning
  const matching = excess === 0 || isReasoning ? undefined : explainedBy(caches, excess, counts.reasoning)
  const open = matching === undefined ? caches : caches.filter((cache) => !matching.includes(cache))
  const separate = open.filter(({ isIncluded }) => !isIncluded)
  let tokens = sum(matching ?? []) + sum(separate)
  let inTotal = sum(matching ?? [])
  // Cache counts without an exact match may still be part of the excess, unless reasoning explains all of it.
  const mayBeInTotal = (sumOfOpen: number) => excess - inTotal >= sumOfOpen && excess - inTotal !== counts.reasoning
  // Tokens that the documented input includes cannot exceed it.
  const included = sum(open.filter(({ isIncluded }) => isIncluded))
  if (included > counts.input) {
    tokens += included
    assumptions.push("cached tokens exceed the input, so they were counted in addition to it")
    if (mayBeInTotal(included)) inTotal += included
  }
  if (separate.length > 0) {
    if (mayBeInTotal(sum(separate))) inTotal += sum(separate)
    else assumptions.push("cached tokens may be part of the input or not, so they were counted in addition to it")
  }
  return { tokens, inTotal }
}

/** Finds the cache counts whose sum, alone or with the reasoning, equals the excess of the total. */
function explainedBy(
  caches: readonly CacheCount[],
  excess: number,
  reasoning: number,
): readonly CacheCount[] | undefined {
  const [first, second] = caches
  const subsets = second === undefined ? [[first!]] : [[first!, second], [first!], [second]]
  return (
    subsets.find((subset) => sum(subset) === excess) ??
    subsets.find((subset) => reasoning > 0 && sum(subset) + reasoning === excess)
  )
}

function outputTotals(
  { input, output, total, reasoning, mediaOutput, reasoningCount }: OpenCounts,
  rest: number,
  assumptions: string[],
): Pick<InclusiveTotals, "outputTokens" | "reasoningTokens"> {
  let outputTokens = output + rest
  let reasoningTokens = reasoning
  if (rest > 0) {
    // Tokens that only the total contains are the reasoning, or include it.
    if (rest !== reasoning) assumptions.push("tokens that only the total contains were counted as reasoning")
    reasoningTokens = Math.max(reasoning, rest)
  }
  const isContained = rest > 0 || reasoningCount === "included" || total === input + output
  if (reasoningTokens > outputTokens || !isContained) outputTokens += reasoning
  if (reasoningTokens + mediaOutput > outputTokens) {
    assumptions.push("audio, image and reasoning tokens exceed the output, so they were counted in addition to it")
    outputTokens += mediaOutput
  }
  return { outputTokens, reasoningTokens }
}

function sum(caches: readonly CacheCount[]): number {
  return caches.reduce((tokens, cache) => tokens + cache.tokens, 0)
}
