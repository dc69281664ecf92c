import { checkOptions, InvalidArgumentError } from "@p2/core"
import { StalePricesError } from "../errors"
import { type Instant, instantMs } from "./instant"
import type { PriceTable } from "./price-table"
import { publishedPrices } from "./published-prices"

const DAY_MS = 86_400_000
const OPTION_NAMES: ReadonlySet<string> = /* @__PURE__ */ new Set(["table", "at", "maxAgeDays"])

/** Options of `checkTableAge`. */
export interface TableAgeOptions {
  /** The table to check. @defaultValue the published prices */
  table?: PriceTable | undefined
  /** @defaultValue now */
  at?: Instant | undefined
  /** Maximum age of the newest source in days. @defaultValue 45 */
  maxAgeDays?: number | undefined
}

/**
 * Returns the age of the newest source of a table in whole days.
 *
 * @throws StalePricesError if it exceeds `maxAgeDays`
 */
export function checkTableAge(options: TableAgeOptions = {}): number {
  checkOptions(options, OPTION_NAMES)
  const { tableDate } = options.table ?? publishedPrices
  const maxAgeDays = options.maxAgeDays ?? 45
  if (!Number.isSafeInteger(maxAgeDays) || maxAgeDays < 0)
    throw new InvalidArgumentError("maxAgeDays", "an integer of at least 0", maxAgeDays)
  const atMs = instantMs(options.at === undefined ? Date.now() : options.at, "at")
  const ageDays = Math.floor((atMs - Date.parse(tableDate)) / DAY_MS)
  // A table without a date has an age of NaN and is stale.
  if (!(ageDays <= maxAgeDays)) throw new StalePricesError(tableDate, ageDays, maxAgeDays)
  return ageDays
}
