import { InvalidArgumentError } from "@p2/core"
import type { PriceTier } from "../cost/cost"
import { holdsAt } from "./instant"
import type { PriceRow, PriceSheet } from "./price-row"
import { type CompleteRates, completeRates } from "./rates"

/** A row with complete rates. */
export interface PricedRow {
  readonly row: PriceRow
  readonly sheets: readonly PricedSheet[]
}

export interface PricedSheet {
  readonly sheet: PriceSheet
  readonly tiers: readonly PricedTier[]
}

export interface PricedTier {
  readonly fromInputTokens: number
  readonly rates: CompleteRates
  readonly tier: PriceTier
}

/** Completes the rates of a row. */
export function pricedRow(row: PriceRow): PricedRow {
  return { row, sheets: row.sheets.map(pricedSheet) }
}

/** Whether a sheet is always valid. */
export function isAlways(sheet: PriceSheet): boolean {
  return sheet.fromMs === undefined && sheet.untilMs === undefined && sheet.window === undefined
}

function pricedSheet(sheet: PriceSheet): PricedSheet {
  const tiers = sheet.tiers.map(({ fromInputTokens, rates }) => ({
    fromInputTokens,
    rates: completeRates(rates),
    tier: Object.freeze({
      serviceTier: sheet.serviceTier,
      fromInputTokens,
      ...(sheet.window === undefined ? {} : { hours: "some" as const }),
    }),
  }))
  return { sheet, tiers }
}

/** Names of the standard service tier at different providers. */
export const STANDARD_TIERS: readonly string[] = ["default", "standard", "on_demand", "standard_only"]

/** `service_tier: "priority"` selects OpenAI's fast mode; a row lists only one of the two names. */
const SAME_TIER: Readonly<Record<string, string>> = { fast: "priority", priority: "fast" }

/** The sheets of a row that a service tier selects. `any`: the provider or a setting of its project decides. */
export type TierSelection =
  | { readonly status: "any" }
  | { readonly status: "listed"; readonly name: string }
  | { readonly status: "unlisted"; readonly listed: readonly string[] }

/** Finds the sheets for a service tier, as it was sent or reported. */
export function selectTier(row: PriceRow, serviceTier: string | undefined): TierSelection {
  if (serviceTier === undefined || serviceTier === "auto") return { status: "any" }
  if (typeof serviceTier !== "string")
    throw new InvalidArgumentError("serviceTier", 'the name of a service tier, such as "default"', serviceTier)
  const names = STANDARD_TIERS.includes(serviceTier) ? ["default"] : [serviceTier, SAME_TIER[serviceTier]]
  const name = names.find((each) => row.sheets.some((sheet) => sheet.serviceTier === each))
  return name === undefined ? { status: "unlisted", listed: listedTiers(row) } : { status: "listed", name }
}

/** Describes the listed tiers for an error message, or suggests a tier that differs only in case. */
export function describeListed(serviceTier: string | undefined, listed: readonly string[]): string {
  const meant = listed.find((name) => name.toLowerCase() === serviceTier?.toLowerCase())
  return meant === undefined ? `(listed: ${listed.join(", ")})` : `(did you mean "${meant}"?)`
}

/** Returns the service tiers of a row that have rates. */
export function listedTiers(row: PriceRow): string[] {
  return [...new Set(row.sheets.map((sheet) => sheet.serviceTier))]
}

/**
 * Returns the sheet that applies at an instant; undefined if the price starts later or has ended. At times when a service tier
 * has no sheet, the standard rates apply.
 */
export function sheetAt(priced: PricedRow, name: string, atMs: number): PricedSheet | undefined {
  return lastHolding(priced, name, atMs) ?? (name === "default" ? undefined : lastHolding(priced, "default", atMs))
}

function lastHolding(priced: PricedRow, name: string, atMs: number): PricedSheet | undefined {
  return priced.sheets
    .filter(({ sheet }) => sheet.boundOnly !== true && sheet.serviceTier === name && holdsAt(sheet, atMs))
    .at(-1)
}

/** Returns the context tier of an input of this many tokens. */
export function tierFor(sheet: PricedSheet, inputTokens: number): PricedTier {
  return sheet.tiers.filter((tier) => tier.fromInputTokens <= inputTokens).at(-1) ?? sheet.tiers[0]!
}
