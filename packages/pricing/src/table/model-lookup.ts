import { withoutDate } from "@p2/core"
import { ONLINE_SEARCH_PICO_USD } from "./openrouter-search"
import type { PriceRow, PriceSheet, Unbounded } from "./price-row"
import { readTable, type TableIndex } from "./table-format"

/** Ids beyond this are in no table, and are not looked at. */
const LONGEST_ID = 200

/** Finds rows in generated tables. The tables are read at the first question, a row when it is first found. */
export class ModelLookup {
  readonly #tables: readonly string[]
  #index: TableIndex | undefined
  readonly #read = new Map<string, PriceRow>()

  constructor(tables: readonly string[]) {
    this.#tables = tables
  }

  get date(): string {
    return this.#tableIndex().date
  }

  models(): string[] {
    return [...this.#tableIndex().rows.keys()]
  }

  /** Ids for the suggestions of an error: keys and bare names. */
  names(): Iterable<string> {
    const { rows, aliases } = this.#tableIndex()
    return [...rows.keys(), ...aliases.keys()]
  }

  /** By key, alias, one date, the provider's other name, and OpenRouter's suffixes, in this order; never by likeness. */
  find(model: string): PriceRow | undefined {
    if (typeof model !== "string" || model.length > LONGEST_ID) return undefined
    return this.#listed(model) ?? this.#suffixed(model) ?? this.#local(model)
  }

  #listed(model: string): PriceRow | undefined {
    const found = this.#named(model)
    if (found !== undefined) return found
    const undated = withoutDate(model)
    // One date, not two: nobody sells a dated model under a second date.
    if (undated !== undefined && withoutDate(undated) === undefined) {
      const row = this.#named(undated)
      if (row !== undefined) return row
    }
    const slash = model.indexOf("/")
    const provider = slash < 0 ? undefined : this.#tableIndex().providerNames.get(model.slice(0, slash))
    return provider === undefined ? undefined : this.#listed(provider + model.slice(slash))
  }

  #named(id: string): PriceRow | undefined {
    const { rows, aliases } = this.#tableIndex()
    const key = rows.has(id) ? id : aliases.get(id)
    if (key === undefined) return undefined
    let row = this.#read.get(key)
    if (row === undefined) {
      row = rows.get(key)?.()
      if (row !== undefined) this.#read.set(key, row)
    }
    return row
  }

  #suffixed(model: string): PriceRow | undefined {
    const colon = model.lastIndexOf(":")
    if (colon < 0 || !model.startsWith("openrouter/")) return undefined
    const row = this.#listed(model.slice(0, colon))
    if (row === undefined) return undefined
    const suffix = model.slice(colon + 1)
    if (suffix === "online") return online(row, model)
    if (suffix === "nitro" || suffix === "floor") return { ...row, model, unbounded: routed(suffix) }
    return undefined
  }

  #local(model: string): PriceRow | undefined {
    const slash = model.indexOf("/")
    const provider = model.slice(0, slash)
    if (slash < 0 || slash === model.length - 1 || !this.#tableIndex().freeProviders.has(provider)) return undefined
    // A name that ends so runs in the vendor's cloud, not on the user's machine.
    if (/[:-]cloud$/.test(model)) return undefined
    return {
      model,
      provider,
      sheets: [{ serviceTier: "default", tiers: [{ fromInputTokens: 0, rates: { input: 0, output: 0 } }] }],
      free: true,
      asOf: this.date,
      source: "runs on the user's own machine",
      basis: "table",
    }
  }

  #tableIndex(): TableIndex {
    if (this.#index === undefined) {
      const index: TableIndex = {
        date: "",
        rows: new Map(),
        aliases: new Map(),
        providerNames: new Map(),
        freeProviders: new Set(),
      }
      for (const table of this.#tables) readTable(table, index)
      this.#index = index
    }
    return this.#index
  }
}

function routed(suffix: string): Unbounded {
  return { reason: "routing", why: `with :${suffix} the router chooses the price. Ask for the model without it.` }
}

/** The row with a rate for searches. A model that is free otherwise is not free with them. */
function online(row: PriceRow, model: string): PriceRow {
  const { free: _free, ...rest } = row
  return { ...rest, model, sheets: row.sheets.map(withSearch) }
}

function withSearch(sheet: PriceSheet): PriceSheet {
  const tiers = sheet.tiers.map((tier) => ({ ...tier, rates: { search: ONLINE_SEARCH_PICO_USD, ...tier.rates } }))
  return { ...sheet, tiers }
}
