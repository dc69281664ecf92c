import type { PriceRow, RegionalUplift } from "./price-row"
import { type CompleteRates, isPerPiece, type RateKind } from "./rates"
import { BYOK_FEE_PERCENT } from "./regional-uplifts"

/** Percentages on top of listed rates. */
export interface Uplift {
  readonly percent: number
  readonly tokensOnly: boolean
}

/** The uplifts of a region and a gateway, or the status of a region without a listed price. */
export type UpliftResult =
  | { readonly status: "known"; readonly uplifts: readonly Uplift[] }
  | { readonly status: "unlisted-region"; readonly regions: readonly string[] }

/** Names for processing without a region. Anthropic reports `not_available` for models without regions. */
const GLOBAL: readonly string[] = ["global", "not_available"]

/**
 * Returns the percentages that are added to the rates of a row.
 * @param unstated the assumption if `region` or `byok` is absent: `lowest` for a cost, `highest` for a bound
 */
export function upliftsOf(
  row: PriceRow,
  { region, byok }: { region?: string | undefined; byok?: boolean | undefined },
  unstated: "lowest" | "highest",
): UpliftResult {
  const regional = regionalUplifts(row, region, unstated)
  if (regional === undefined)
    return { status: "unlisted-region", regions: (row.regions ?? []).map((each) => each.region) }
  const [highest] = [...regional].sort((a, b) => b.percent - a.percent)
  const uplifts: Uplift[] =
    highest === undefined ? [] : [{ percent: highest.percent, tokensOnly: highest.tokensOnly === true }]
  const isByok = byok ?? unstated === "highest"
  if (isByok && row.provider === "openrouter" && row.basis === "table")
    uplifts.push({ percent: BYOK_FEE_PERCENT, tokensOnly: false })
  return { status: "known", uplifts: uplifts.filter(({ percent }) => percent > 0) }
}

/** Returns the candidates, of which the highest applies; undefined if the region has no listed price. */
function regionalUplifts(
  row: PriceRow,
  region: string | undefined,
  unstated: "lowest" | "highest",
): readonly RegionalUplift[] | undefined {
  const regions = row.regions ?? []
  if (region === undefined)
    return unstated === "lowest" ? [] : regions.filter(({ mayBeDefault }) => mayBeDefault === true)
  if (GLOBAL.includes(region)) return []
  const listed = regions.filter((uplift) => uplift.region === region || uplift.region === "*")
  return listed.length === 0 ? undefined : listed
}

/** Adds percentages to rates. */
export function withUplifts(rates: CompleteRates, uplifts: readonly Uplift[]): CompleteRates {
  if (uplifts.length === 0) return rates
  const raised: Partial<Record<RateKind, number>> = {}
  for (const [kind, rate] of Object.entries(rates) as [RateKind, number | undefined][])
    if (rate !== undefined) raised[kind] = upliftRate(kind, rate, uplifts)
  return { ...rates, ...raised }
}

/** Adds percentages to the rate of a kind, rounded up to a pico-USD. A higher rate never becomes lower than another of its unit. */
export function upliftRate(kind: RateKind, rate: number, uplifts: readonly Uplift[]): number {
  if (uplifts.length === 0) return rate
  const percents = uplifts.filter(({ tokensOnly }) => !tokensOnly || !isPerPiece(kind)).map(({ percent }) => percent)
  let [numerator, denominator] = [BigInt(rate), 1n]
  for (const percent of percents) {
    numerator *= BigInt(100 + percent)
    denominator *= 100n
  }
  return Number((numerator + denominator - 1n) / denominator)
}
