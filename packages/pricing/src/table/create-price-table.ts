import { checkOptions, InvalidArgumentError } from "@p2/core"
import type { PriceEntry } from "./price-entry"
import type { PriceRow } from "./price-row"
import type { PriceTable } from "./price-table"
import { publishedPrices } from "./published-prices"
import { rowFromEntry, shownId } from "./read-entry"
import { RowTable } from "./row-table"

/** Options of `createPriceTable`. */
export interface PriceTableOptions {
  /**
   * Prices for ids that are not among the entries: `"published"` for those of this package, or another table.
   * @defaultValue none: such ids are unknown
   */
  extends?: "published" | PriceTable | undefined
  /** Other names for ids of the entries or of the extended table: `{ "azure/my-deployment": "azure/gpt-4o-mini" }`. */
  aliases?: Record<string, string> | undefined
}

const OPTION_NAMES: ReadonlySet<string> = /* @__PURE__ */ new Set(["extends", "aliases"])

/**
 * Creates a table of your own for deployments and negotiated prices: decimal strings of USD per million tokens, by exact id.
 * Entries take precedence over aliases, and aliases over the extended table.
 *
 * @throws InvalidArgumentError for an invalid entry, an unknown option, or an alias for an id that is not listed
 * @example
 * const prices = createPriceTable({ "azure/eu-mini": { input: "0.165", output: "0.66" } }, { extends: "published" })
 * prices.costOf("azure/eu-mini", { inputTokens: 1_000_000, outputTokens: 0 }).nanoUsd // 165000000
 */
export function createPriceTable(entries: Record<string, PriceEntry>, options: PriceTableOptions = {}): PriceTable {
  if (typeof entries !== "object" || entries === null || Array.isArray(entries))
    throw new InvalidArgumentError("entries", "an object of price entries by id", entries)
  checkOptions(options, OPTION_NAMES)
  const base = readBase(options.extends)
  const rows = new Map(Object.entries(entries).map(([model, entry]) => [model, rowFromEntry(model, entry)] as const))
  const aliases = new Map(Object.entries(options.aliases ?? {}))
  if (base !== undefined && rows.size === 0 && aliases.size === 0) return base
  const find = (model: string): PriceRow | undefined => {
    const own = rows.get(model)
    if (own !== undefined) return own
    const target = aliases.get(model)
    if (target !== undefined) return rows.get(target) ?? base?.findRow(target)
    return rows.get(fineTunedKey(model)) ?? base?.findRow(model)
  }
  for (const [alias, target] of aliases)
    if (find(alias) === undefined)
      throw new InvalidArgumentError(
        `aliases[${shownId(alias)}]`,
        "an id of the entries or of the extended table",
        target,
      )
  const models = () => [...new Set([...rows.keys(), ...(base?.models() ?? [])])]
  const days = [...rows.values()].map((row) => row.asOf).concat(base?.tableDate ?? "")
  return new RowTable({
    // Days as YYYY-MM-DD sort as strings.
    date: days.sort().at(-1)!,
    models,
    names: () => [...aliases.keys(), ...models()],
    find,
  })
}

function readBase(base: PriceTableOptions["extends"]): RowTable | undefined {
  if (base === undefined) return undefined
  if (base === "published") return publishedPrices
  // `instanceof` would be false between the ESM and the CommonJS build of this package.
  if (typeof (base as Partial<RowTable>)?.findRow === "function") return base as RowTable
  throw new InvalidArgumentError("extends", '"published", or a table from createPriceTable', base)
}

/** Returns `ft:gpt-4o-2024-08-06` for `ft:gpt-4o-2024-08-06:my-org::id`: one entry prices all fine-tunes of a model. */
function fineTunedKey(model: string): string {
  return /^ft:[^:]+/.exec(model)?.[0] ?? model
}
