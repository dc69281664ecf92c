import type { PriceTier } from "../cost"
import type { PriceRow, PriceSheet } from "../price-row"
import { type FullRates, fullRates } from "./bill"
import { holdsAt } from "./instant"

/** A row made ready for arithmetic: gaps filled, tiers described once. */
export interface PricedRow {
  readonly row: PriceRow
  readonly sheets: readonly PricedSheet[]
  /** The only sheet, when the price depends on nothing but the context tier. */
  readonly only: PricedSheet | undefined
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

const prepared = /* @__PURE__ */ new WeakMap<PriceRow, PricedRow>()

/** The row made ready, once. */
export function pricedRow(row: PriceRow): PricedRow {
  let priced = prepared.get(row)
  if (priced === undefined) {
    const sheets = row.sheets.map(pricedSheet)
    const first = sheets[0]
    const plain = sheets.length === 1 && first?.sheet.fromMs === undefined && first?.sheet.untilMs === undefined
    priced = { row, sheets, only: plain && first?.sheet.window === undefined ? first : undefined }
    prepared.set(row, priced)
  }
  return priced
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

const STANDARD_NAMES: readonly string[] = ["default", "standard", "auto", "on_demand", "standard_only"]

/** The name under which the sheets know a service tier: providers call their standard one by several names. */
export function sheetName(serviceTier: string | undefined): string {
  return serviceTier === undefined || STANDARD_NAMES.includes(serviceTier) ? "default" : serviceTier
}

/**
 * The sheet that decides at an instant. A service tier without a sheet of its own is billed at standard rates.
 * Undefined when no sheet holds: the price begins later, or has ended.
 */
export function sheetAt(priced: PricedRow, serviceTier: string | undefined, atMs: number): PricedSheet | undefined {
  const name = sheetName(serviceTier)
  return lastHolding(priced, name, atMs) ?? (name === "default" ? undefined : lastHolding(priced, "default", atMs))
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
