import { InvalidArgumentError, LruMap, nearestIds, UnknownModelError, type Usage } from "@p2/core"
import type { AffordOptions, BoundOptions } from "../bound/bound-options"
import { affordableByRow, boundByRow } from "../bound/upper-bound"
import type { Bound, Cost } from "../cost/cost"
import type { CostOptions, PriceOptions } from "../cost/cost-options"
import { billedTier, priceUsage, reportedCost } from "../cost/price-usage"
import { instantMs } from "./instant"
import { noPriceYet } from "./no-price"
import { checkAffordOptions, checkBoundOptions, checkCostArguments, checkPriceOptions } from "./option-names"
import type { PriceRow } from "./price-row"
import type { Price, PriceTable } from "./price-table"
import { listedTiers, type PricedRow, pricedRow, selectTier, sheetAt } from "./priced-row"
import { regionsOf } from "./regional-uplifts"

/** Finds rows by id. */
export interface RowFinder {
  /** Day of the newest source, `YYYY-MM-DD`. */
  readonly date: string
  models(): string[]
  /** Ids that an error may suggest. */
  names(): Iterable<string>
  find(model: string): PriceRow | undefined
}

/** Maximum cached rows, so that ids from callers cannot fill the memory. */
const MAX_CACHED_ROWS = 10_000

/** A price table over the rows of a finder. */
export class RowTable implements PriceTable {
  readonly #finder: RowFinder
  readonly #rows = new LruMap<string, PricedRow>(MAX_CACHED_ROWS)

  constructor(finder: RowFinder) {
    this.#finder = finder
  }

  get tableDate(): string {
    return this.#finder.date
  }

  models(): string[] {
    return this.#finder.models()
  }

  /** Returns the row that an id resolves to, for tables that extend this one. */
  findRow(model: string): PriceRow | undefined {
    return this.#find(model)?.row
  }

  findPrice(model: string, options: PriceOptions = {}): Price | undefined {
    checkPriceOptions(options)
    const priced = this.#find(model)
    if (priced === undefined || selectTier(priced.row, options.serviceTier).status === "unlisted") return undefined
    return priceOfRow(priced, options)
  }

  priceOf(model: string, options: PriceOptions = {}): Price {
    checkModel(model)
    checkPriceOptions(options)
    const price = priceOfRow(this.#get(model), options)
    if (price === undefined) throw noPriceYet(model)
    return price
  }

  costOf(model: string, usage: Usage, options: CostOptions = {}): Cost {
    checkModel(model)
    checkCostArguments(usage, options)
    const priced = this.#find(model)
    if (priced !== undefined) return priceUsage(priced, usage, options)
    if (options.reported !== undefined) return reportedCost(model, usage, options)
    throw this.#unknown(model)
  }

  upperBound(model: string, options: BoundOptions): Bound {
    checkModel(model)
    checkBoundOptions(options)
    return boundByRow(this.#get(model), options)
  }

  affordableOutputTokens(model: string, options: AffordOptions): number {
    checkModel(model)
    checkAffordOptions(options)
    return affordableByRow(this.#get(model), options)
  }

  #find(model: string): PricedRow | undefined {
    const cached = this.#rows.get(model)
    if (cached !== undefined) return cached
    const row = this.#finder.find(model)
    if (row === undefined) return undefined
    const priced = pricedRow(withRegions(row))
    this.#rows.set(model, priced)
    return priced
  }

  #get(model: string): PricedRow {
    const priced = this.#find(model)
    if (priced === undefined) throw this.#unknown(model)
    return priced
  }

  #unknown(model: string): UnknownModelError {
    return new UnknownModelError(model, {
      what: "price",
      nearest: nearestIds(model, this.#finder.names()),
      remedy: remedyFor(model),
    })
  }
}

function checkModel(model: unknown): void {
  if (typeof model !== "string") throw new InvalidArgumentError("model", 'a model id such as "gpt-4o-mini"', model)
}

/** Adds the uplifts of a published row, which depend on its provider and name. Your own prices contain theirs. */
function withRegions(row: PriceRow): PriceRow {
  const regions = row.regions ?? regionsOf(row.provider, row.model.slice(row.provider.length + 1))
  return regions === undefined ? row : { ...row, regions }
}

function remedyFor(id: string): string {
  const [, base] = /^(?:openai\/)?ft:([^:]+)/.exec(id) ?? []
  if (base === undefined) return "Check the id, or add its price with createPriceTable."
  return `Fine-tuned models have separate prices, and none is listed for "ft:${base}": add it with createPriceTable({ "ft:${base}": { input, output } }).`
}

function priceOfRow(priced: PricedRow, options: PriceOptions): Price | undefined {
  const { row } = priced
  const tierName = billedTier(row, options.serviceTier)
  const sheet = sheetAt(priced, tierName, instantMs(options.at === undefined ? Date.now() : options.at, "at"))
  if (sheet === undefined) return undefined
  const { tiers } = sheet.sheet
  return {
    model: row.model,
    provider: row.provider,
    rates: tiers[0]!.rates,
    tiers,
    tier: sheet.tiers[0]!.tier,
    serviceTiers: listedTiers(row),
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
