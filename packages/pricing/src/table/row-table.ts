import { nearestIds, UnknownModelError, type Usage } from "@p2/core"
import { affordableOutput, boundOfRow } from "../bound/compute-bound"
import { costAsReported, costOfRow } from "../cost/compute-cost"
import type { Bound, Cost } from "../cost/cost"
import { noPriceYet } from "./no-price"
import { checkAffordOptions, checkBoundOptions, checkCostArguments, checkPriceOptions } from "./option-names"
import type { PriceRow, PriceSheet } from "./price-row"
import type { AffordOptions, BoundOptions, CostOptions, Price, PriceOptions, PriceTable } from "./price-table"
import { type PricedRow, pricedRow, sheetAt } from "./priced-row"

/** What a table needs in order to answer: rows by id. */
export interface RowFinder {
  date: string
  models(): string[]
  names(): Iterable<string>
  find(model: string): PriceRow | undefined
}

/** Resolved ids that are remembered; beyond, all are forgotten, so that a caller's ids cannot fill the memory. */
const MEMORY_SIZE = 10_000

/** The functions of this package over the rows of one finder. */
export class RowTable implements PriceTable {
  readonly #finder: RowFinder
  readonly #seen = new Map<string, PricedRow>()

  constructor(finder: RowFinder) {
    this.#finder = finder
  }

  get tableDate(): string {
    return this.#finder.date
  }

  models(): string[] {
    return this.#finder.models()
  }

  findRow(model: string): PriceRow | undefined {
    return this.#find(model)?.row
  }

  findPrice(model: string, options?: PriceOptions): Price | undefined {
    checkPriceOptions(options)
    const priced = this.#find(model)
    return priced === undefined ? undefined : priceOfRow(priced, options)
  }

  priceOf(model: string, options?: PriceOptions): Price {
    checkPriceOptions(options)
    const price = priceOfRow(this.#known(model), options)
    if (price === undefined) throw noPriceYet(model)
    return price
  }

  costOf(model: string, usage: Usage, options?: CostOptions): Cost {
    checkCostArguments(usage, options)
    const priced = this.#find(model)
    if (priced !== undefined) return costOfRow(priced, usage, options)
    if (options?.reported !== undefined) return costAsReported(model, options.reported, options)
    throw this.#unknown(model)
  }

  upperBound(model: string, options: BoundOptions): Bound {
    checkBoundOptions(options)
    return boundOfRow(this.#known(model), options)
  }

  affordableOutputTokens(model: string, options: AffordOptions): number {
    checkAffordOptions(options)
    return affordableOutput(this.#known(model), options)
  }

  #find(model: string): PricedRow | undefined {
    const seen = this.#seen.get(model)
    if (seen !== undefined) return seen
    const row = this.#finder.find(model)
    if (row === undefined) return undefined
    if (this.#seen.size >= MEMORY_SIZE) this.#seen.clear()
    const priced = pricedRow(row)
    this.#seen.set(model, priced)
    return priced
  }

  #known(model: string): PricedRow {
    const priced = this.#find(model)
    if (priced === undefined) throw this.#unknown(model)
    return priced
  }

  #unknown(model: string): UnknownModelError {
    return new UnknownModelError(String(model), {
      what: "price",
      nearest: nearestIds(String(model), this.#finder.names()),
      remedy: "Check the id, or add its price with createPriceTable.",
    })
  }
}

function priceOfRow(priced: PricedRow, options: PriceOptions | undefined): Price | undefined {
  const { row } = priced
  const found = sheetAt(priced, options?.serviceTier, options?.at)
  if (found === undefined) return undefined
  const sheet: PriceSheet = found.sheet
  return {
    model: row.model,
    provider: row.provider,
    rates: sheet.tiers[0]!.rates,
    tiers: sheet.tiers,
    tier: found.tiers[0]!.tier,
    serviceTiers: [...new Set(row.sheets.map((each) => each.serviceTier))],
    ...(row.contextWindow === undefined ? {} : { contextWindow: row.contextWindow }),
    ...(row.maxInputTokens === undefined ? {} : { maxInputTokens: row.maxInputTokens }),
    ...(row.maxOutputTokens === undefined ? {} : { maxOutputTokens: row.maxOutputTokens }),
    ...(row.maxOutputBasis === undefined ? {} : { maxOutputBasis: row.maxOutputBasis }),
    free: row.free === true,
    asOf: row.asOf,
    source: row.source,
    basis: row.basis,
  }
}
