import { InvalidArgumentError } from "@p2/core"
import { checkFields } from "./option-names"
import { type PriceEntry, rowFromEntry } from "./price-entry"
import type { PriceRow } from "./price-row"
import type { PriceTable } from "./price-table"
import { RowTable } from "./row-table"

export interface PriceTableOptions {
  /** Table that answers for every id that the entries do not hold, such as `prices`. @defaultValue none: such ids are unknown */
  extends?: PriceTable | undefined
  /** Other names for ids of the entries or of the extended table: `{ "azure/my-deployment": "azure/gpt-4o-mini" }`. */
  aliases?: Record<string, string> | undefined
}

const OPTION_NAMES: ReadonlySet<string> = /* @__PURE__ */ new Set(["extends", "aliases"])

/**
 * A table of your own: deployments and negotiated prices, as decimal strings of USD per million tokens, by exact id.
 * Entries win over aliases, aliases over the extended table.
 * @throws InvalidArgumentError for a wrong entry, an unknown name, or an alias for an id that neither knows
 */
export function createPriceTable(entries: Record<string, PriceEntry>, options: PriceTableOptions = {}): PriceTable {
  if (typeof entries !== "object" || entries === null || Array.isArray(entries))
    throw new InvalidArgumentError("entries", "an object of price entries by id", entries)
  checkFields(options, OPTION_NAMES, "options", "an object of options", "")
  const base = options.extends
  if (base !== undefined && typeof base?.findRow !== "function")
    throw new InvalidArgumentError("extends", "a price table, such as `prices`", base)
  const rows = new Map<string, PriceRow>()
  for (const [model, entry] of Object.entries(entries)) rows.set(model, rowFromEntry(model, entry))
  const aliases = new Map(Object.entries(options.aliases ?? {}))
  const find = (model: string): PriceRow | undefined => {
    const target = aliases.get(model)
    return (
      rows.get(model) ?? (target === undefined ? base?.findRow(model) : (rows.get(target) ?? base?.findRow(target)))
    )
  }
  for (const [alias, target] of aliases)
    if (find(alias) === undefined)
      throw new InvalidArgumentError(
        `aliases[${JSON.stringify(alias)}]`,
        "an id of the entries or of the extended table",
        target,
      )
  const names = () => [...new Set([...rows.keys(), ...aliases.keys(), ...(base?.models() ?? [])])]
  return new RowTable({
    // Days as YYYY-MM-DD compare as text.
    date: [...rows.values()]
      .map((row) => row.asOf)
      .concat(base?.tableDate ?? "")
      .sort()
      .at(-1)!,
    models: () => [...new Set([...rows.keys(), ...(base?.models() ?? [])])],
    names,
    find,
  })
}
