import { InvalidArgumentError, type Usage } from "@p2/core"
import type { CostLine } from "../cost"
import { UnpricedUsageError } from "../errors"
import { RATE_FALLBACK, type RateKind, type Rates } from "../rates"

/** Rates in which every kind of token has a number. */
export type FullRates = { readonly [kind in Exclude<RateKind, "search">]: number } & {
  readonly search: number | undefined
}

/** Fills the kinds that have no rate of their own. */
export function fullRates(rates: Rates): FullRates {
  const cacheWrite = rates.cacheWrite ?? rates[RATE_FALLBACK.cacheWrite]
  return {
    input: rates.input,
    cacheRead: rates.cacheRead ?? rates[RATE_FALLBACK.cacheRead],
    cacheWrite,
    cacheWrite1h: rates.cacheWrite1h ?? cacheWrite,
    audioInput: rates.audioInput ?? rates[RATE_FALLBACK.audioInput],
    imageInput: rates.imageInput ?? rates[RATE_FALLBACK.imageInput],
    output: rates.output,
    reasoning: rates.reasoning ?? rates[RATE_FALLBACK.reasoning],
    audioOutput: rates.audioOutput ?? rates[RATE_FALLBACK.audioOutput],
    imageOutput: rates.imageOutput ?? rates[RATE_FALLBACK.imageOutput],
    request: rates.request ?? 0,
    search: rates.search,
  }
}

/**
 * The bill of a usage, line by line; kinds that were not used have no line.
 *
 * Usage says how many tokens were cached and how many were audio or images, but not how many were both. Cached tokens
 * are taken to be text; where there is not enough text for them, the rest was cached audio or images and is billed as
 * fresh audio or images, never less. Reads give way before writes, because they are the cheapest.
 */
export function billOf(model: string, rates: FullRates, usage: Usage): CostLine[] {
  const audio = count(usage.audioInputTokens, "audioInputTokens")
  const image = count(usage.imageInputTokens, "imageInputTokens")
  const read = count(usage.cacheReadTokens, "cacheReadTokens")
  const write = count(usage.cacheWriteTokens, "cacheWriteTokens")
  const write1h = count(usage.cacheWrite1hTokens, "cacheWrite1hTokens")
  const input = total(usage.inputTokens, "inputTokens")
  let text = input - audio - image
  if (text < 0) throw contradiction("audioInputTokens + imageInputTokens", "inputTokens", audio + image, input)
  if (read + write + write1h > input)
    throw contradiction(
      "cacheReadTokens + cacheWriteTokens + cacheWrite1hTokens",
      "inputTokens",
      read + write + write1h,
      input,
    )
  const reasoning = count(usage.reasoningTokens, "reasoningTokens")
  const audioOutput = count(usage.audioOutputTokens, "audioOutputTokens")
  const imageOutput = count(usage.imageOutputTokens, "imageOutputTokens")
  const output = total(usage.outputTokens, "outputTokens")
  const said = output - reasoning - audioOutput - imageOutput
  if (said < 0)
    throw contradiction(
      "reasoningTokens + audioOutputTokens + imageOutputTokens",
      "outputTokens",
      output - said,
      output,
    )

  const lines: CostLine[] = []
  const textWrite1h = Math.min(write1h, text)
  text -= textWrite1h
  const textWrite = Math.min(write, text)
  text -= textWrite
  const textRead = Math.min(read, text)
  text -= textRead
  add(lines, "input", text, rates.input)
  add(lines, "cacheRead", textRead, rates.cacheRead)
  add(lines, "cacheWrite", textWrite, rates.cacheWrite)
  add(lines, "cacheWrite1h", textWrite1h, rates.cacheWrite1h)
  add(lines, "audioInput", audio, rates.audioInput)
  add(lines, "imageInput", image, rates.imageInput)
  add(lines, "output", said, rates.output)
  add(lines, "reasoning", reasoning, rates.reasoning)
  add(lines, "audioOutput", audioOutput, rates.audioOutput)
  add(lines, "imageOutput", imageOutput, rates.imageOutput)
  if (rates.request > 0) lines.push({ kind: "request", count: 1, picoUsdPerUnit: rates.request })
  const searches = count(usage.webSearches, "webSearches")
  if (searches > 0) add(lines, "search", searches, searchRate(model, rates))
  return lines
}

/** The rate of one search. @throws UnpricedUsageError where the price has none. */
export function searchRate(model: string, rates: FullRates): number {
  if (rates.search !== undefined) return rates.search
  throw new UnpricedUsageError(
    model,
    "webSearches",
    "Add `search` (USD per search) to a price of your own with createPriceTable, or do not let the provider search.",
  )
}

function add(lines: CostLine[], kind: RateKind, tokens: number, picoUsdPerUnit: number): void {
  if (tokens > 0) lines.push({ kind, count: tokens, picoUsdPerUnit })
}

/** A count that may be absent. The two totals are checked by `total`. */
function count(value: number | undefined, field: string): number {
  return value === undefined ? 0 : total(value, field)
}

function total(value: number, field: string): number {
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new InvalidArgumentError(`usage.${field}`, "an integer of at least 0", value)
}

function contradiction(parts: string, whole: string, sum: number, total: number): InvalidArgumentError {
  return new InvalidArgumentError(`usage.${parts}`, `at most usage.${whole} (${total}), which contains them`, sum)
}
