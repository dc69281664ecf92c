import type { PriceRow, RegionalUplift } from "./price-row"
import { type CompleteRates, isPerPiece, type RateKind } from "./rates"
import { BYOK_FEE_PERCENT } from "./regional-uplifts"

/** Percentages on top of listed rates. */
export interface Uplift {
  readonly percent: number
  readonly tokensOnly: boolean
}

/** What a region and a gateway add, or that the region has no listed price. */
export type UpliftResult =
  | { readonly status: "known"; readonly uplifts: readonly Uplift[] }
  | { readonly status: "unlisted-region"; readonly regions: readonly string[] }

/** How providers call processing without a region. `not_available` is what Anthropic reports for models without regions. */
const GLOBAL: readonly string[] = ["global", "not_available"]

/**
 * What is added to the rates of a row.
 * @param unstated what counts where no region and no kind of key was stated: `lowest` for a cost, `highest` for a bound
 */
export function upliftsOf(
  row: PriceRow,
  options: { region?: string | undefined; byok?: boolean | undefined },
  unstated: "lowest" | "highest",
): UpliftResult {
  const uplifts: Uplift[] = []
  const { region } = options
  const regions = row.regions ?? []
  const regional =
    region === undefined
      ? regions.filter((uplift) => unstated === "highest" && uplift.mayBeDefault === true)
      : regions.filter((uplift) => uplift.region === region || uplift.region === "*")
  if (region !== undefined && !GLOBAL.includes(region)) {
    if (regional.length === 0) return { status: "unlisted-region", regions: regions.map((uplift) => uplift.region) }
  }
  if (region === undefined || !GLOBAL.includes(region)) {
    const highest = highestOf(regional)
    if (highest !== undefined) uplifts.push(highest)
  }
  if (row.provider === "openrouter" && row.basis === "table" && (options.byok ?? unstated === "highest"))
    uplifts.push({ percent: BYOK_FEE_PERCENT, tokensOnly: false })
  return { status: "known", uplifts: uplifts.filter(({ percent }) => percent > 0) }
}

function highestOf(uplifts: readonly RegionalUplift[]): Uplift | undefined {
  const [highest] = [...uplifts].sort((a, b) => b.percent - a.percent)
  return highest && { percent: highest.percent, tokensOnly: highest.tokensOnly === true }
}

/** Rates with percentages added, each rounded up to a pico-USD. */
export function withUplifts(rates: CompleteRates, uplifts: readonly Uplift[]): CompleteRates {
  if (uplifts.length === 0) return rates
  const raised: Partial<Record<RateKind, number>> = {}
  for (const [kind, rate] of Object.entries(rates) as [RateKind, number | undefined][]) {
    if (rate === undefined) continue
    let [numerator, denominator] = [BigInt(rate), 1n]
    for (const { percent, tokensOnly } of uplifts) {
      if (tokensOnly && isPerPiece(kind)) continue
      numerator *= BigInt(100 + percent)
      denominator *= 100n
    }
    raised[kind] = Number((numerator + denominator - 1n) / denominator)
  }
  return { ...rates, ...raised }
}
