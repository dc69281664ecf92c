import { InvalidArgumentError, type Usage } from "@p2/core"
import { UnpricedUsageError } from "../errors"
import { RATE_FALLBACK, type RateKind, type Rates } from "../table/rates"
import type { CostLine } from "./cost"

/** Kinds that nothing else stands in for: without a rate they are an error. */
export type UnsharedKind = "audioInput" | "audioOutput" | "imageOutput" | "search"

/** Rates in which every kind that can be billed as another has a number. */
export type FullRates = { readonly [kind in Exclude<RateKind, UnsharedKind>]: number } & {
  readonly [kind in UnsharedKind]: number | undefined
}

/** Fills the kinds that have no rate of their own. */
export function fullRates(rates: Rates): FullRates {
  const cacheWrite = rates.cacheWrite ?? rates[RATE_FALLBACK.cacheWrite]
  return {
    input: rates.input,
    cacheRead: rates.cacheRead ?? rates[RATE_FALLBACK.cacheRead],
    cacheWrite,
    cacheWrite1h: rates.cacheWrite1h ?? cacheWrite,
    audioInput: rates.audioInput,
    imageInput: rates.imageInput ?? rates[RATE_FALLBACK.imageInput],
    output: rates.output,
    reasoning: rates.reasoning ?? rates[RATE_FALLBACK.reasoning],
    audioOutput: rates.audioOutput,
    imageOutput: rates.imageOutput,
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
  if (audio > 0) add(lines, "audioInput", audio, rateOf(model, rates, "audioInput"))
  add(lines, "imageInput", image, rates.imageInput)
  add(lines, "output", said, rates.output)
  add(lines, "reasoning", reasoning, rates.reasoning)
  if (audioOutput > 0) add(lines, "audioOutput", audioOutput, rateOf(model, rates, "audioOutput"))
  if (imageOutput > 0) add(lines, "imageOutput", imageOutput, rateOf(model, rates, "imageOutput"))
  if (rates.request > 0) lines.push({ kind: "request", count: 1, picoUsdPerUnit: rates.request })
  const searches = count(usage.webSearches, "webSearches")
  if (searches > 0) add(lines, "search", searches, rateOf(model, rates, "search"))
  return lines
}

const USAGE_OF: Readonly<Record<UnsharedKind, string>> = {
  audioInput: "audioInputTokens",
  audioOutput: "audioOutputTokens",
  imageOutput: "imageOutputTokens",
  search: "webSearches",
}

/** The rate of a kind that nothing else stands in for. @throws UnpricedUsageError where the price has none. */
export function rateOf(model: string, rates: FullRates, kind: UnsharedKind): number {
  const rate = rates[kind]
  if (rate !== undefined) return rate
  const unit = kind === "search" ? "USD per search" : "USD per million tokens"
  const instead = kind === "search" ? "do not let the provider search" : "use a model that has one"
  throw new UnpricedUsageError(
    model,
    USAGE_OF[kind],
    `Add \`${kind}\` (${unit}) to a price of your own with createPriceTable, or ${instead}.`,
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
