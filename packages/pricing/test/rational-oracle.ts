import type { Usage } from "@p2/core"
import type { PriceRow, PriceSheet, RateKind, Rates } from "../src/index"

/**
 * The rules of a bill, written a second time over `bigint` fractions and without the code of src/: what a call costs in
 * pico-USD, and that amount rounded up to nano-USD.
 */
export function oraclePico(row: PriceRow, usage: Usage, serviceTier: string | undefined, atMs: number): bigint {
  const sheet = sheetThatDecides(row, serviceTier, atMs)
  let rates: Rates | undefined
  for (const tier of sheet.tiers) if (BigInt(usage.inputTokens) >= BigInt(tier.fromInputTokens)) rates = tier.rates
  return billed(rates!, usage)
}

export function ceilNano(pico: bigint): bigint {
  return pico % 1000n === 0n ? pico / 1000n : pico / 1000n + 1n
}

function sheetThatDecides(row: PriceRow, serviceTier: string | undefined, atMs: number): PriceSheet {
  const standard = ["default", "standard", "auto", "on_demand", "standard_only", undefined]
  const asked = standard.includes(serviceTier) ? "default" : serviceTier
  const tiers = new Set(row.sheets.map((sheet) => sheet.serviceTier))
  const twin = asked === "fast" ? "priority" : asked === "priority" ? "fast" : undefined
  const name = tiers.has(asked!) ? asked : twin !== undefined && tiers.has(twin) ? twin : "default"
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

function billed(rates: Rates, usage: Usage): bigint {
  const rate = (...kinds: RateKind[]): bigint =>
    BigInt(kinds.map((kind) => rates[kind]).find((each) => each !== undefined)!)
  const tokens = (count: number | undefined): bigint => BigInt(count ?? 0)
  const [audio, image] = [tokens(usage.audioInputTokens), tokens(usage.imageInputTokens)]
  // Text is handed out to the dearest writes first; what was read from the cache beyond it was audio or images.
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
  if (audio > 0n) pico += audio * rate("audioInput")
  const thought = tokens(usage.reasoningTokens)
  const [spoken, drawn] = [tokens(usage.audioOutputTokens), tokens(usage.imageOutputTokens)]
  pico += thought * rate("reasoning", "output")
  if (spoken > 0n) pico += spoken * rate("audioOutput")
  if (drawn > 0n) pico += drawn * rate("imageOutput")
  pico += (tokens(usage.outputTokens) - thought - spoken - drawn) * rate("output")
  pico += BigInt(rates.request ?? 0)
  if ((usage.webSearches ?? 0) > 0) pico += tokens(usage.webSearches) * rate("search")
  return pico
}
