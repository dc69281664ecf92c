import { InvalidArgumentError } from "@p2/core"
import { type FullRates, fullRates } from "../cost/bill"
import type { PriceTier } from "../cost/cost"
import { holdsAt, type Instant, instantMs } from "./instant"
import type { PriceRow, PriceSheet } from "./price-row"

/** A row made ready for arithmetic: gaps filled, tiers described once. */
export interface PricedRow {
  readonly row: PriceRow
  readonly sheets: readonly PricedSheet[]
  /** The standard sheet, when it holds at every instant: then a call without a service tier need not look at the clock. */
  readonly standard: PricedSheet | undefined
  /** All sheets of the standard service tier, when each holds at every instant: then its bound need not look at the clock. */
  readonly standards: readonly PricedSheet[] | undefined
}

export interface PricedSheet {
  readonly sheet: PriceSheet
  readonly tiers: readonly PricedTier[]
}

export interface PricedTier {
  readonly fromInputTokens: number
  readonly rates: FullRates
  readonly tier: PriceTier
}

/** The row made ready; the table remembers it. */
export function pricedRow(row: PriceRow): PricedRow {
  const sheets = row.sheets.map(pricedSheet)
  const standards = sheets.filter(({ sheet }) => sheet.serviceTier === "default")
  const standard = standards.filter(({ sheet }) => sheet.boundOnly !== true)
  return {
    row,
    sheets,
    standard: standard.length === 1 && isAlways(standard[0]!.sheet) ? standard[0] : undefined,
    standards: standards.length > 0 && standards.every(({ sheet }) => isAlways(sheet)) ? standards : undefined,
  }
}

/** Whether a sheet holds at every instant. */
export function isAlways(sheet: PriceSheet): boolean {
  return sheet.fromMs === undefined && sheet.untilMs === undefined && sheet.window === undefined
}

function pricedSheet(sheet: PriceSheet): PricedSheet {
  const tiers = sheet.tiers.map(({ fromInputTokens, rates }) => ({
    fromInputTokens,
    rates: fullRates(rates),
    tier: Object.freeze({
      serviceTier: sheet.serviceTier,
      fromInputTokens,
      ...(sheet.window === undefined ? {} : { hours: "some" as const }),
    }),
  }))
  return { sheet, tiers }
}

/** What providers call their standard service tier. */
export const STANDARD_NAMES: readonly string[] = ["default", "standard", "auto", "on_demand", "standard_only"]

/** The name under which the sheets know a service tier: providers call their standard one by several names. */
function sheetName(serviceTier: string | undefined): string {
  if (serviceTier === undefined || STANDARD_NAMES.includes(serviceTier)) return "default"
  return serviceTier
}

/** OpenAI's fast mode is what `service_tier: "priority"` asks for; a row names only one of the two. */
const SAME_TIER: Readonly<Record<string, string>> = { fast: "priority", priority: "fast" }

/** The service tier of the row that a name means; undefined when the row has none. */
export function tierInRow(row: PriceRow, serviceTier: string | undefined): string | undefined {
  if (serviceTier !== undefined && typeof serviceTier !== "string")
    throw new InvalidArgumentError("serviceTier", "the name of a service tier", serviceTier)
  const name = sheetName(serviceTier)
  if (row.sheets.some((sheet) => sheet.serviceTier === name)) return name
  const other = SAME_TIER[name]
  return other !== undefined && row.sheets.some((sheet) => sheet.serviceTier === other) ? other : undefined
}

/**
 * The sheet that decides at an instant. A service tier without a sheet of its own is billed at standard rates.
 * Undefined when no sheet holds: the price begins later, or has ended.
 */
export function sheetAt(
  priced: PricedRow,
  serviceTier: string | undefined,
  at: Instant | undefined,
): PricedSheet | undefined {
  if (priced.standard !== undefined && serviceTier === undefined && at === undefined) return priced.standard
  const atMs = instantMs(at === undefined ? Date.now() : at, "at")
  const name = tierInRow(priced.row, serviceTier)
  const own = name === undefined ? undefined : lastHolding(priced, name, atMs)
  return own ?? (name === "default" ? undefined : lastHolding(priced, "default", atMs))
}

function lastHolding(priced: PricedRow, name: string, atMs: number): PricedSheet | undefined {
  for (let index = priced.sheets.length - 1; index >= 0; index--) {
    const candidate = priced.sheets[index]!
    const { sheet } = candidate
    if (sheet.boundOnly !== true && sheet.serviceTier === name && holdsAt(sheet, atMs)) return candidate
  }
  return undefined
}

/** The tier that a whole input of so many tokens falls into. */
export function tierFor(sheet: PricedSheet, inputTokens: number): PricedTier {
  const { tiers } = sheet
  let index = tiers.length - 1
  while (index > 0 && inputTokens < tiers[index]!.fromInputTokens) index--
  return tiers[index]!
}
