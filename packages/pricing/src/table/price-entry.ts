import { InvalidArgumentError } from "@p2/core"
import { picoFromDecimal } from "../cost/reported-cost"
import { isoMs } from "./instant"
import { checkFields, ENTRY_NAMES, PERIOD_NAMES, SHEET_NAMES, TIER_NAMES, WINDOW_NAMES } from "./option-names"
import type { ContextTier, DailyWindow, PriceRow, PriceSheet } from "./price-row"
import { STANDARD_NAMES } from "./priced-row"
import { RATE_KINDS, type RateKind, type Rates } from "./rates"

/**
 * Rates as people write them: decimal strings of USD per million tokens, such as `"0.15"`; `request` and `search` are USD
 * per piece. At most twelve decimals per token (six per million) are kept exactly; finer ones are rounded up.
 */
export type RateEntry = { input: string; output: string } & {
  [kind in Exclude<RateKind, "input" | "output">]?: string | undefined
}

/** Rates and the dearer (or cheaper) ones of a longer input. */
export interface SheetEntry extends RateEntry {
  /** Rates from so many input tokens on, for the whole request. What a tier does not name is as in the base. */
  tiers?: (Partial<RateEntry> & { fromInputTokens: number })[] | undefined
}

/** Rates that hold at some time only. Later entries of a list win over earlier ones. */
export interface PeriodEntry extends SheetEntry {
  /** First instant, ISO 8601: a date means its midnight in UTC, a time has `Z` or an offset. */
  from?: string | undefined
  /** First instant at which it holds no more, ISO 8601. */
  until?: string | undefined
  /** Hours of the week, in UTC. */
  window?: DailyWindow | undefined
  /** @defaultValue "default" */
  serviceTier?: string | undefined
}

/** The price of one model, as written by hand. */
export interface PriceEntry extends SheetEntry {
  /** Rates of other service tiers: what is sent as `service_tier`, or `batch`. */
  serviceTiers?: Record<string, SheetEntry> | undefined
  /** Rates of some times. */
  periods?: PeriodEntry[] | undefined
  contextWindow?: number | undefined
  maxInputTokens?: number | undefined
  maxOutputTokens?: number | undefined
  /** Cache writes happen only when the request asks for them. @defaultValue false */
  cacheWriteOnRequest?: boolean | undefined
  /** Must be true when every rate is "0": nothing is free by omission. @defaultValue false */
  free?: boolean | undefined
  /** Day on which the price was right, `YYYY-MM-DD`. @defaultValue today */
  asOf?: string | undefined
  /** Where it is from. @defaultValue "your own price" */
  source?: string | undefined
}

const DAY = /^\d{4}-\d{2}-\d{2}$/

/** A price written by hand, checked and made a row. @throws InvalidArgumentError that names the field */
export function rowFromEntry(model: string, entry: PriceEntry): PriceRow {
  const path = `entries[${JSON.stringify(model)}]`
  checkFields(entry, ENTRY_NAMES, path, "a price entry")
  const sheets: PriceSheet[] = [sheetFromEntry(path, entry, "default")]
  for (const [tier, sheet] of Object.entries(entry.serviceTiers ?? {})) {
    checkFields(sheet, SHEET_NAMES, `${path}.serviceTiers.${tier}`, "the rates of a service tier")
    if (STANDARD_NAMES.includes(tier))
      throw new InvalidArgumentError(
        `${path}.serviceTiers.${tier}`,
        "a service tier beside the standard one, whose rates are those of the entry",
        tier,
      )
    sheets.push(sheetFromEntry(`${path}.serviceTiers.${tier}`, sheet, tier))
  }
  for (const [index, period] of list(`${path}.periods`, entry.periods).entries())
    sheets.push(periodFromEntry(`${path}.periods[${index}]`, period))
  checkFree(path, entry, sheets)
  const asOf = entry.asOf ?? new Date().toISOString().slice(0, 10)
  if (!DAY.test(asOf) || isoMs(asOf) === undefined)
    throw new InvalidArgumentError(`${path}.asOf`, "a day as YYYY-MM-DD", asOf)
  if (entry.source !== undefined && typeof entry.source !== "string")
    throw new InvalidArgumentError(`${path}.source`, "text", entry.source)
  return {
    model,
    provider: model.includes("/") ? model.slice(0, model.indexOf("/")) : "custom",
    sheets,
    ...limit(path, entry, "contextWindow"),
    ...limit(path, entry, "maxInputTokens"),
    ...limit(path, entry, "maxOutputTokens"),
    ...(entry.cacheWriteOnRequest === true ? { cacheWriteOnRequest: true } : {}),
    ...(entry.free === true ? { free: true } : {}),
    asOf,
    source: entry.source ?? "your own price",
    basis: "custom",
  }
}

function checkFree(path: string, entry: PriceEntry, sheets: readonly PriceSheet[]): void {
  const allZero = sheets.every(({ tiers }) =>
    tiers.every(({ rates }) => Object.values(rates).every((rate) => rate === 0)),
  )
  if (allZero !== (entry.free === true))
    throw new InvalidArgumentError(
      `${path}.free`,
      allZero ? "true, because every rate is 0" : "absent, because it has rates",
      entry.free,
    )
}

function periodFromEntry(path: string, entry: PeriodEntry): PriceSheet {
  checkFields(entry, PERIOD_NAMES, path, "the rates of some time")
  const { window, serviceTier = "default" } = entry
  if (window !== undefined) checkWindow(`${path}.window`, window)
  if (serviceTier !== "default" && STANDARD_NAMES.includes(serviceTier))
    throw new InvalidArgumentError(`${path}.serviceTier`, '"default" for the standard tier', serviceTier)
  const fromMs = entry.from === undefined ? undefined : dateMs(`${path}.from`, entry.from)
  const untilMs = entry.until === undefined ? undefined : dateMs(`${path}.until`, entry.until)
  if (fromMs !== undefined && untilMs !== undefined && untilMs <= fromMs)
    throw new InvalidArgumentError(`${path}.until`, "a moment after `from`, or the period never holds", entry.until)
  return {
    ...sheetFromEntry(path, entry, serviceTier),
    ...(fromMs === undefined ? {} : { fromMs }),
    ...(untilMs === undefined ? {} : { untilMs }),
    ...(window === undefined ? {} : { window }),
  }
}

function sheetFromEntry(path: string, entry: SheetEntry, serviceTier: string): PriceSheet {
  const base = ratesFromEntry(path, entry)
  const tiers: ContextTier[] = [{ fromInputTokens: 0, rates: base }]
  for (const [index, tier] of list(`${path}.tiers`, entry.tiers).entries()) {
    checkFields(tier, TIER_NAMES, `${path}.tiers[${index}]`, "rates with `fromInputTokens`")
    const from = tier.fromInputTokens
    if (!Number.isSafeInteger(from) || from <= tiers[tiers.length - 1]!.fromInputTokens)
      throw new InvalidArgumentError(`${path}.tiers[${index}].fromInputTokens`, "an integer above the one before", from)
    tiers.push({ fromInputTokens: from, rates: { ...base, ...ratesFromEntry(`${path}.tiers[${index}]`, tier, base) } })
  }
  return { serviceTier, tiers }
}

function ratesFromEntry(path: string, entry: Partial<RateEntry>, base?: Rates): Rates {
  const rates: Partial<Record<RateKind, number>> = {}
  for (const kind of RATE_KINDS) {
    const text = entry[kind]
    if (text !== undefined)
      rates[kind] = rateFromDecimal(`${path}.${kind}`, text, kind === "request" || kind === "search")
  }
  const input = rates.input ?? base?.input
  const output = rates.output ?? base?.output
  if (input === undefined || output === undefined)
    throw new InvalidArgumentError(
      `${path}.${input === undefined ? "input" : "output"}`,
      'USD per million tokens, such as "0.15"',
      undefined,
    )
  return { ...rates, input, output }
}

/** USD per million tokens (or per piece) to pico-USD, rounded up. */
function rateFromDecimal(path: string, text: string, perPiece: boolean): number {
  const expected = 'a decimal string of USD of at least 0, such as "0.15"'
  if (typeof text !== "string") throw new InvalidArgumentError(path, expected, text)
  const pico = picoFromDecimal(text, path, expected)
  const rate = perPiece ? pico : (pico + 999_999n) / 1_000_000n
  if (rate > BigInt(Number.MAX_SAFE_INTEGER)) throw new InvalidArgumentError(path, "at most 2^53 − 1 pico-USD", text)
  return Number(rate)
}

function checkWindow(path: string, window: DailyWindow): void {
  checkFields(window, WINDOW_NAMES, path, "days and minutes")
  const minute = (value: number) => Number.isSafeInteger(value) && value >= 0 && value <= 1440
  const days =
    Array.isArray(window.days) &&
    window.days.length > 0 &&
    window.days.every((day) => Number.isSafeInteger(day) && day >= 0 && day <= 6)
  if (!days || !minute(window.startMinute) || !minute(window.endMinute))
    throw new InvalidArgumentError(path, "days of 0 to 6 and minutes of 0 to 1440", window)
}

function dateMs(path: string, text: string): number {
  const ms = isoMs(text)
  if (ms === undefined)
    throw new InvalidArgumentError(path, "a date (UTC), or a date and time with `Z` or an offset, in ISO 8601", text)
  return ms
}

function list<T>(path: string, value: readonly T[] | undefined): readonly T[] {
  if (value === undefined || Array.isArray(value)) return value ?? []
  throw new InvalidArgumentError(path, "a list", value)
}

function limit<Name extends "contextWindow" | "maxInputTokens" | "maxOutputTokens">(
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
