import { checkOptions, describeValue, InvalidArgumentError, isModelId } from "@p2/core"
import { picoFromDecimal } from "../cost/reported-cost"
import { isoMs } from "./instant"
import { ENTRY_ADVICE, ENTRY_NAMES, PERIOD_NAMES, SHEET_NAMES, TIER_NAMES, WINDOW_NAMES } from "./option-names"
import type { PeriodEntry, PriceEntry, RateEntry, SheetEntry } from "./price-entry"
import type { ContextTier, DailyWindow, PriceRow, PriceSheet, RegionalUplift } from "./price-row"
import { STANDARD_TIERS } from "./priced-row"
import { isOutput, isPerPiece, RATE_KINDS, type RateKind, type Rates } from "./rates"

/** An id for an error message; `…` if it may be a prompt or a key. */
export function shownId(id: string): string {
  return isModelId(id) ? JSON.stringify(id) : '"…"'
}

const DAY = /^\d{4}-\d{2}-\d{2}$/

/** Validates a price written by hand and converts it to a row. @throws InvalidArgumentError that names the field */
export function rowFromEntry(model: string, entry: PriceEntry): PriceRow {
  const path = `entries[${shownId(model)}]`
  checkOptions(entry, ENTRY_NAMES, path, ENTRY_ADVICE)
  const standard = sheetFromEntry(path, entry, "default")
  const base = standard.tiers[0]!.rates
  const sheets: PriceSheet[] = [standard]
  for (const [tier, sheet] of Object.entries(entry.serviceTiers ?? {})) {
    checkOptions(sheet, SHEET_NAMES, `${path}.serviceTiers.${tier}`)
    if (STANDARD_TIERS.includes(tier) || tier === "auto")
      throw new InvalidArgumentError(
        `${path}.serviceTiers.${tier}`,
        "a service tier other than the standard one, whose rates are those of the entry",
        tier,
      )
    sheets.push(sheetFromEntry(`${path}.serviceTiers.${tier}`, sheet, tier, base))
  }
  for (const [index, period] of readArray(`${path}.periods`, entry.periods).entries())
    sheets.push(periodFromEntry(`${path}.periods[${index}]`, period, base))
  checkFree(path, entry, sheets)
  const asOf = entry.asOf ?? new Date().toISOString().slice(0, 10)
  if (!DAY.test(asOf) || isoMs(asOf) === undefined)
    throw new InvalidArgumentError(`${path}.asOf`, "a day as YYYY-MM-DD", asOf)
  if (entry.source !== undefined && typeof entry.source !== "string")
    throw new InvalidArgumentError(`${path}.source`, "a string", entry.source)
  return {
    model,
    provider: model.includes("/") ? model.slice(0, model.indexOf("/")) : "custom",
    sheets,
    regions: regionsFromEntry(`${path}.regionUpliftPercent`, entry.regionUpliftPercent),
    ...readLimit(path, entry, "contextWindow"),
    ...readLimit(path, entry, "maxInputTokens"),
    ...readLimit(path, entry, "maxOutputTokens"),
    ...(entry.cacheWriteOnRequest === true ? { cacheWriteOnRequest: true } : {}),
    ...(entry.free === true ? { free: true } : {}),
    asOf,
    source: entry.source ?? "your own price",
    basis: "custom",
  }
}

function checkFree(path: string, entry: PriceEntry, sheets: readonly PriceSheet[]): void {
  const rates = sheets.flatMap(({ tiers }) => tiers.flatMap((tier) => Object.values(tier.rates)))
  const isFree = rates.every((rate) => rate === 0)
  if (isFree === (entry.free === true)) return
  const message = isFree
    ? `\`${path}\` has only rates of 0. Add \`free: true\` if the model is free.`
    : `\`${path}\` has rates. Remove \`free: true\`.`
  throw new InvalidArgumentError(`${path}.free`, isFree ? "true" : "absent", entry.free, message)
}

function regionsFromEntry(path: string, entry: PriceEntry["regionUpliftPercent"]): RegionalUplift[] {
  if (entry === undefined) return []
  if (typeof entry !== "object" || entry === null || Array.isArray(entry))
    throw new InvalidArgumentError(path, "an object of percentages by region, such as { eu: 10 }", entry)
  return Object.entries(entry).map(([region, percent]) => {
    if (!Number.isSafeInteger(percent) || percent < 0 || percent > 1000)
      throw new InvalidArgumentError(`${path}.${region}`, "an integer percentage from 0 to 1000, such as 10", percent)
    return { region, percent }
  })
}

function periodFromEntry(path: string, entry: PeriodEntry, base: Rates): PriceSheet {
  checkOptions(entry, PERIOD_NAMES, path)
  const { window, serviceTier = "default" } = entry
  if (window !== undefined) checkWindow(`${path}.window`, window)
  if (serviceTier !== "default" && (STANDARD_TIERS.includes(serviceTier) || serviceTier === "auto"))
    throw new InvalidArgumentError(`${path}.serviceTier`, '"default" for the standard tier', serviceTier)
  const fromMs = entry.from === undefined ? undefined : readDate(`${path}.from`, entry.from)
  const untilMs = entry.until === undefined ? undefined : readDate(`${path}.until`, entry.until)
  if (fromMs !== undefined && untilMs !== undefined && untilMs <= fromMs)
    throw new InvalidArgumentError(`${path}.until`, "a time after `from`", entry.until)
  return {
    ...sheetFromEntry(path, entry, serviceTier, base),
    ...(fromMs === undefined ? {} : { fromMs }),
    ...(untilMs === undefined ? {} : { untilMs }),
    ...(window === undefined ? {} : { window }),
  }
}

function sheetFromEntry(path: string, entry: SheetEntry, serviceTier: string, standard?: Rates): PriceSheet {
  const named = ratesFromEntry(path, entry)
  for (const kind of ["input", "output"] as const)
    if (named[kind] === undefined)
      throw new InvalidArgumentError(`${path}.${kind}`, 'USD per million tokens, such as "0.15"', undefined)
  const base = standard === undefined ? (named as Rates) : withUnnamed(named, standard)
  const tiers: ContextTier[] = [{ fromInputTokens: 0, rates: base }]
  for (const [index, tier] of readArray(`${path}.tiers`, entry.tiers).entries()) {
    const tierPath = `${path}.tiers[${index}]`
    checkOptions(tier, TIER_NAMES, tierPath)
    const from = tier.fromInputTokens
    if (!Number.isSafeInteger(from) || from <= tiers[tiers.length - 1]!.fromInputTokens)
      throw new InvalidArgumentError(`${tierPath}.fromInputTokens`, "an integer above that of the tier before", from)
    tiers.push({ fromInputTokens: from, rates: withUnnamed(ratesFromEntry(tierPath, tier), base) })
  }
  return { serviceTier, tiers }
}

/**
 * Completes the named rates with those of a base. If `input` (or `output`) is higher than in the base, inherited token rates are
 * raised in proportion and rounded up; they are never lowered. Rates per piece are inherited unchanged.
 */
function withUnnamed(named: Partial<Rates>, base: Rates): Rates {
  const { input = base.input, output = base.output } = named
  const raised: Partial<Record<RateKind, number>> = {}
  for (const kind of RATE_KINDS) {
    const rate = base[kind]
    if (rate === undefined) continue
    const [now, before] = isOutput(kind) ? [output, base.output] : [input, base.input]
    const isRaised = !isPerPiece(kind) && now > before && before > 0
    raised[kind] = isRaised ? ceilDivide(BigInt(rate) * BigInt(now), BigInt(before)) : rate
  }
  return { ...raised, ...named, input, output }
}

function ceilDivide(numerator: bigint, denominator: bigint): number {
  return Number((numerator + denominator - 1n) / denominator)
}

function ratesFromEntry(path: string, entry: Partial<RateEntry>): Partial<Rates> {
  const rates: Partial<Record<RateKind, number>> = {}
  for (const kind of RATE_KINDS) {
    const written = entry[kind]
    if (written !== undefined) rates[kind] = rateFromDecimal(`${path}.${kind}`, written, isPerPiece(kind))
  }
  return rates
}

/** Converts USD per million tokens (or per piece) to pico-USD, rounded up. */
function rateFromDecimal(path: string, written: string, perPiece: boolean): number {
  const example = perPiece ? '"0.01"' : '"0.15"'
  const expected = `a decimal string of at least 0 USD per ${perPiece ? "piece" : "million tokens"}, such as ${example}`
  if (typeof written === "number")
    throw new InvalidArgumentError(
      path,
      expected,
      written,
      `Invalid \`${path}\`: expected ${expected}, got the number ${describeValue(written)}. Write it as "${String(written)}".`,
    )
  if (typeof written !== "string") throw new InvalidArgumentError(path, expected, written)
  const pico = picoFromDecimal(written, path, expected)
  const rate = perPiece ? pico : (pico + 999_999n) / 1_000_000n
  if (rate > BigInt(Number.MAX_SAFE_INTEGER)) throw new InvalidArgumentError(path, "at most 2^53 − 1 pico-USD", written)
  return Number(rate)
}

function checkWindow(path: string, window: DailyWindow): void {
  checkOptions(window, WINDOW_NAMES, path)
  const isMinute = (value: number) => Number.isSafeInteger(value) && value >= 0 && value <= 1440
  const isDay = (value: number) => Number.isSafeInteger(value) && value >= 0 && value <= 6
  const hasDays = Array.isArray(window.days) && window.days.length > 0 && window.days.every(isDay)
  if (!hasDays || !isMinute(window.startMinute) || !isMinute(window.endMinute))
    throw new InvalidArgumentError(path, "days from 0 (Sunday) to 6 and minutes from 0 to 1440", window)
}

function readDate(path: string, written: string): number {
  const ms = isoMs(written)
  if (ms === undefined)
    throw new InvalidArgumentError(path, "a date (UTC), or a date and time with `Z` or an offset, in ISO 8601", written)
  return ms
}

function readArray<T>(path: string, value: readonly T[] | undefined): readonly T[] {
  if (value === undefined || Array.isArray(value)) return value ?? []
  throw new InvalidArgumentError(path, "an array", value)
}

function readLimit<Name extends "contextWindow" | "maxInputTokens" | "maxOutputTokens">(
  path: string,
  entry: PriceEntry,
  name: Name,
): Partial<Record<Name, number>> {
  const value = entry[name]
  if (value === undefined) return {}
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError(`${path}.${name}`, "an integer of at least 1", value)
  return { [name]: value } as Partial<Record<Name, number>>
}
