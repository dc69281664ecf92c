import { describeValue, InvalidArgumentError, P2Error, type Usage } from "@p2/core"
import { UnpricedUsageError } from "../errors"
import { instantMs } from "../table/instant"
import { noPriceYet } from "../table/no-price"
import type { PriceRow } from "../table/price-row"
import { describeListed, type PricedRow, selectTier, sheetAt, tierFor } from "../table/priced-row"
import { upliftsOf, withUplifts } from "../table/uplift"
import { billUsage, readCounts } from "./bill"
import type { Cost } from "./cost"
import type { CostOptions } from "./cost-options"
import { ExactCost } from "./exact-cost"
import { nanoFromPico, sumLines } from "./exact-sum"
import { reportedPico } from "./reported-cost"

/** Prices a usage by a row, or takes the cost that the provider reported. */
export function priceUsage(priced: PricedRow, usage: Usage, given: CostOptions): Cost {
  const { serviceTier = usage.serviceTier, region = usage.region } = given
  const isStated = serviceTier === given.serviceTier && region === given.region
  const options = isStated ? given : { ...given, serviceTier, region }
  if (options.reported === undefined) return priceByRow(priced, usage, options)
  return reportedCost(priced.row.model, usage, options, priceByRowIfListed(priced, usage, options))
}

/** Takes the cost that the provider reported. @param listed the cost by the price table, if it lists the model */
export function reportedCost(model: string, usage: Usage, options: CostOptions, listed?: Cost): Cost {
  const atMs = instantMs(options.at === undefined ? Date.now() : options.at, "at")
  const { input, output } = readCounts(usage)
  const pico = reportedPico(options.reported!)
  return new ExactCost(pico, {
    tokens: input + output,
    lines: [],
    model,
    asOf: new Date(atMs).toISOString().slice(0, 10),
    basis: "provider",
    ...(listed === undefined ? {} : { differenceNanoUsd: nanoFromPico(pico, "reported.costUsd") - listed.nanoUsd }),
  })
}

function priceByRow(priced: PricedRow, usage: Usage, options: CostOptions): Cost {
  const { row } = priced
  const counts = readCounts(usage)
  const calls = options.calls ?? usage.calls ?? 1
  if (!Number.isSafeInteger(calls) || calls < 1)
    throw new InvalidArgumentError("calls", "an integer of at least 1", calls)
  const sheet = sheetAt(
    priced,
    billedTier(row, options.serviceTier),
    instantMs(options.at === undefined ? Date.now() : options.at, "at"),
  )
  if (sheet === undefined) throw noPriceYet(row.model)
  const { tier, rates } = tierFor(sheet, Math.ceil(counts.input / calls))
  const lines = billUsage(row.model, withUplifts(rates, billedUplifts(row, options)), counts, calls)
  return new ExactCost(sumLines(lines), {
    tokens: counts.input + counts.output,
    lines,
    tier,
    model: row.model,
    asOf: row.asOf,
    basis: row.basis,
    ...(usage.assumptions === undefined || usage.assumptions.length === 0 ? {} : { assumptions: usage.assumptions }),
  })
}

/** Returns the service tier that was billed. @throws UnpricedUsageError if it has no listed price */
export function billedTier(row: PriceRow, serviceTier: string | undefined): string {
  const selection = selectTier(row, serviceTier)
  if (selection.status === "listed") return selection.name
  if (selection.status === "any") return "default"
  throw new UnpricedUsageError(
    row.model,
    "serviceTier",
    `No price is listed for the service tier ${describeValue(serviceTier)} of "${row.model}" ${describeListed(serviceTier, selection.listed)}. Add \`serviceTiers: { ${describeValue(serviceTier)}: { input, output } }\` to a price of your own with createPriceTable.`,
  )
}

function billedUplifts(row: PriceRow, options: CostOptions) {
  const result = upliftsOf(row, options, "lowest")
  if (result.status === "known") return result.uplifts
  throw new UnpricedUsageError(row.model, "region", unlistedRegion(row.model, options.region, result.regions))
}

/** Error message for a region without a listed price. */
export function unlistedRegion(model: string, region: string | undefined, listed: readonly string[]): string {
  const others = listed.length === 0 ? "" : ` (listed: ${listed.join(", ")})`
  return `No price is listed for the region ${describeValue(region)} of "${model}"${others}. Add \`regionUpliftPercent: { ${describeValue(region)}: 10 }\` with the provider's percentage to a price of your own with createPriceTable.`
}

/** Like `priceByRow`; undefined if the table lacks a rate or price, because the reported cost is still valid. */
function priceByRowIfListed(priced: PricedRow, usage: Usage, options: CostOptions): Cost | undefined {
  try {
    return priceByRow(priced, usage, options)
  } catch (error) {
    if (UnpricedUsageError.isInstance(error) || (P2Error.isInstance(error) && error.code === "unknown-model"))
      return undefined
    throw error
  }
}
