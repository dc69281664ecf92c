import { P2Error } from "@p2/core"
import { type Instant, instantMs } from "./instant"
import { checkFields } from "./option-names"
import type { PriceTable } from "./price-table"
import { prices } from "./published-prices"

const DAY_MS = 86_400_000
const OPTION_NAMES: ReadonlySet<string> = /* @__PURE__ */ new Set(["table", "at", "maxAgeDays"])

/** The newest source of a table is older than allowed: code `stale-prices`. */
export class StalePricesError extends P2Error {
  /** Whole days since the newest source. */
  readonly ageDays: number

  constructor(tableDate: string, ageDays: number, maxAgeDays: number) {
    super(
      `The newest price source is of ${tableDate}, ${ageDays} days ago; expected at most ${maxAgeDays}. Update @p2/pricing to its newest version, or give prices of your own with createPriceTable. (Maintainers: raise the pins and run pnpm prices:update.)`,
      { code: "stale-prices", kind: "failed" },
    )
    this.name = "StalePricesError"
    this.ageDays = ageDays
  }
}

export interface TableAgeOptions {
  /** Table to look at. @defaultValue the published prices */
  table?: PriceTable | undefined
  /** @defaultValue now */
  at?: Instant | undefined
  /** Days that the newest source may be old. @defaultValue 45 */
  maxAgeDays?: number | undefined
}

/** Whole days since the newest source of a table. @throws StalePricesError when they are more than allowed */
export function checkTableAge(options: TableAgeOptions = {}): number {
  checkFields(options, OPTION_NAMES, "options", "an object of options", "")
  const { tableDate } = options.table ?? prices
  const maxAgeDays = options.maxAgeDays ?? 45
  const ageDays = Math.floor((instantMs(options.at ?? Date.now(), "at") - Date.parse(tableDate)) / DAY_MS)
  // A table without a date is not fresh.
  if (!(ageDays <= maxAgeDays)) throw new StalePricesError(tableDate, ageDays, maxAgeDays)
  return ageDays
}
