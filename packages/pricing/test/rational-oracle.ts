import type { Usage } from "@p2/core"
import type { PriceRow, PriceSheet } from "../src/table/price-row"
import type { RateKind, Rates } from "../src/table/rates"

/** How a call was made. */
export interface OracleCall {
  serviceTier: string | undefined
  region: string | undefined
  byok: boolean
  calls: number
  atMs: number
}

/**
 * The rules of a bill, implemented a second time with `bigint` fractions, independently of src/: what a call costs in
 * pico-USD.
 */
export function oraclePico(row: PriceRow, usage: Usage, call: OracleCall): bigint {
  const sheet = sheetThatDecides(row, call.serviceTier, call.atMs)
  // The mean input of a call, rounded up, is at least a threshold exactly when the sum is above calls × (threshold − 1).
  const reaches = (from: number) => BigInt(usage.inputTokens) > BigInt(call.calls) * (BigInt(from) - 1n)
  let rates: Rates | undefined
  for (const tier of sheet.tiers) if (tier.fromInputTokens === 0 || reaches(tier.fromInputTokens)) rates = tier.rates
  return billed(rates!, usage, call.calls, (kind) => percentages(row, call, kind))
}

/** Pico-USD to nano-USD, rounded up. */
export function ceilNano(pico: bigint): bigint {
  return pico % 1000n === 0n ? pico / 1000n : pico / 1000n + 1n
}

const PIECES: readonly RateKind[] = ["request", "search", "fileSearch", "codeSession", "image", "second", "character"]

function percentages(row: PriceRow, { region, byok }: OracleCall, kind: RateKind): number[] {
  const isRegional = region !== undefined && region !== "global"
  const regional = isRegional ? row.regions?.find((each) => [region, "*"].includes(each.region)) : undefined
  const isRaised = regional !== undefined && !(regional.tokensOnly && PIECES.includes(kind))
  return [isRaised ? regional.percent : 0, byok && row.provider === "openrouter" ? 5 : 0]
}

function sheetThatDecides(row: PriceRow, serviceTier: string | undefined, atMs: number): PriceSheet {
  const standard = ["default", "standard", "auto", "on_demand", "standard_only", undefined]
  const requested = standard.includes(serviceTier) ? "default" : serviceTier
  const tiers = new Set(row.sheets.map((sheet) => sheet.serviceTier))
  const twin = requested === "fast" ? "priority" : requested === "priority" ? "fast" : undefined
  const name = tiers.has(requested!) ? requested : twin
  const open = row.sheets.filter((sheet) => !sheet.boundOnly && isOpen(sheet, atMs))
  const own = open.filter((sheet) => sheet.serviceTier === name).pop()
  const sheet = own ?? open.filter((each) => each.serviceTier === "default").pop()
  if (sheet === undefined) throw new Error(`no sheet of ${row.model} holds at ${new Date(atMs).toISOString()}`)
  return sheet
}

/** By the calendar fields of the moment, where src/ counts spans of days. */
function isOpen(sheet: PriceSheet, atMs: number): boolean {
  if (atMs < (sheet.fromMs ?? -Infinity) || atMs >= (sheet.untilMs ?? Infinity)) return false
  const { window } = sheet
  if (window === undefined) return true
  const moment = new Date(atMs)
  const minute = moment.getUTCHours() * 60 + moment.getUTCMinutes()
  const today = moment.getUTCDay()
  const yesterday = (today + 6) % 7
  if (window.startMinute < window.endMinute)
    return window.days.includes(today) && minute >= window.startMinute && minute < window.endMinute
  return (
    (window.days.includes(today) && minute >= window.startMinute) ||
    (window.days.includes(yesterday) && minute < window.endMinute)
  )
}

function billed(rates: Rates, usage: Usage, calls: number, percent: (kind: RateKind) => number[]): bigint {
  const rate = (...kinds: RateKind[]): bigint => {
    const found = kinds.find((kind) => rates[kind] !== undefined)!
    const [regional, fee] = percent(kinds[0]!)
    const raised = BigInt(rates[found]!) * BigInt(100 + regional!) * BigInt(100 + fee!)
    return raised % 10_000n === 0n ? raised / 10_000n : raised / 10_000n + 1n
  }
  const tokens = (count: number | undefined): bigint => BigInt(count ?? 0)
  const [audio, image] = [tokens(usage.audioInputTokens), tokens(usage.imageInputTokens)]
  // The most expensive writes take the text first. What was read from the cache beyond the text was audio or images.
  let text = tokens(usage.inputTokens) - audio - image
  let pico = 0n
  for (const [count, each] of [
    [tokens(usage.cacheWrite1hTokens), rate("cacheWrite1h", "cacheWrite", "input")],
    [tokens(usage.cacheWriteTokens), rate("cacheWrite", "input")],
    [tokens(usage.cacheReadTokens), rate("cacheRead", "input")],
  ] as const) {
    const rest = text - count
    pico += (rest < 0n ? text : count) * each
    text = rest < 0n ? 0n : rest
  }
  pico += text * rate("input") + image * rate("imageInput", "input")
  const thought = tokens(usage.reasoningTokens)
  const [spoken, drawn] = [tokens(usage.audioOutputTokens), tokens(usage.imageOutputTokens)]
  pico += thought * rate("reasoning", "output")
  pico += (tokens(usage.outputTokens) - thought - spoken - drawn) * rate("output")
  if (rates.request !== undefined) pico += BigInt(calls) * rate("request")
  for (const [count, kind] of [
    [audio, "audioInput"],
    [spoken, "audioOutput"],
    [drawn, "imageOutput"],
    [tokens(usage.webSearches), "search"],
    [tokens(usage.fileSearches), "fileSearch"],
    [tokens(usage.codeInterpreterSessions), "codeSession"],
    [tokens(usage.outputImages), "image"],
    [tokens(usage.audioSeconds), "second"],
    [tokens(usage.inputCharacters), "character"],
  ] as const)
    if (count > 0n) pico += count * rate(kind)
  return pico
}
