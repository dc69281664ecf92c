import { isModelId, parseModelId } from "@p2/core"
import type { ListedModel, ModelTable } from "@p2/core/model-limits"
import { ONLINE_SEARCH_PICO_USD } from "./openrouter-search"
import type { PriceRow, PriceSheet, Unbounded } from "./price-row"
import { type PriceTexts, readTables } from "./table-format"

/** Finds the price of a model in generated tables. Reads the tables on first use, and each row when it is first found. */
export class ModelLookup {
  readonly #tables: readonly string[]
  readonly #models: ModelTable
  #texts: PriceTexts | undefined

  /** @param models the same models with their limits; resolves ids to models */
  constructor(tables: readonly string[], models: ModelTable) {
    this.#tables = tables
    this.#models = models
  }

  /** Day of the newest source, as YYYY-MM-DD. */
  get date(): string {
    return this.#priceTexts().date
  }

  /** The keys of all rows. */
  models(): string[] {
    return [...this.#priceTexts().rows.keys()]
  }

  /** Ids for the suggestions of an error: keys, and names that need no provider. */
  names(): Iterable<string> {
    return this.#models.ids()
  }

  /** Returns the row of exactly the model that the provider serves under an id. Never matches similar names. */
  find(id: string): PriceRow | undefined {
    const match = this.#models.find(id)
    if (match === undefined) return this.#localRow(id)
    const row = this.#rowOf(match.model)
    return row === undefined || match.variant === undefined ? row : withVariant(row, id, match.variant)
  }

  #rowOf({ key, provider: _, ...limits }: ListedModel): PriceRow | undefined {
    const row = this.#priceTexts().rows.get(key)?.()
    return row && { ...row, ...limits }
  }

  /** Returns a free row for a model that runs on the user's own machine, whatever its name. */
  #localRow(id: string): PriceRow | undefined {
    const provider = parseLocalProvider(id)
    if (provider === undefined || !this.#priceTexts().freeProviders.has(provider)) return undefined
    return {
      model: id,
      provider,
      sheets: [{ serviceTier: "default", tiers: [{ fromInputTokens: 0, rates: { input: 0, output: 0 } }] }],
      free: true,
      asOf: this.date,
      source: "runs on the user's own machine",
      basis: "table",
    }
  }

  #priceTexts(): PriceTexts {
    this.#texts ??= readTables(this.#tables)
    return this.#texts
  }
}

/** Returns the provider of an id that may be a local model. Models whose names end in `cloud` run at the vendor. */
function parseLocalProvider(id: string): string | undefined {
  if (!isModelId(id) || /[:-]cloud$/.test(id)) return undefined
  return parseModelId(id).provider
}

/** Returns the row of an OpenRouter variant: https://openrouter.ai/docs/guides/routing/model-variants */
function withVariant(row: PriceRow, model: string, variant: string): PriceRow | undefined {
  if (variant === "online") return withSearches(row, model)
  if (variant === "nitro" || variant === "floor") return { ...row, model, unbounded: routedBy(variant) }
  return undefined
}

function routedBy(variant: string): Unbounded {
  return {
    reason: "routing",
    explanation: `with :${variant} the router chooses the price. Use the model without :${variant}.`,
  }
}

/** Adds a rate for searches to a row. A free model is not free with searches. */
function withSearches(row: PriceRow, model: string): PriceRow {
  const { free: _free, ...rest } = row
  return { ...rest, model, sheets: row.sheets.map(withSearchRate) }
}

function withSearchRate(sheet: PriceSheet): PriceSheet {
  const tiers = sheet.tiers.map((tier) => ({ ...tier, rates: { search: ONLINE_SEARCH_PICO_USD, ...tier.rates } }))
  return { ...sheet, tiers }
}
