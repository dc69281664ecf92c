import { P2Error, type Usage } from "@p2/core"
import { instantMs } from "../table/instant"
import { noPriceYet } from "../table/no-price"
import type { PriceRow } from "../table/price-row"
import type { CostOptions, ReportedCost } from "../table/price-table"
import { type PricedRow, sheetAt, tierFor } from "../table/priced-row"
import { billOf } from "./bill"
import type { Cost, CostLine, PriceTier } from "./cost"
import { exactPico, nanoFromPico, nanoFromSafePico, safePico } from "./exact-sum"
import { reportedPico } from "./reported-cost"

/** A cost computed from lines. The exact sum is computed when it is asked for. */
export class BilledCost implements Cost {
  readonly nanoUsd: number
  readonly lines: readonly CostLine[]
  readonly tier: PriceTier
  readonly model: string
  readonly asOf: string
  readonly basis: "table" | "custom"

  constructor(row: PriceRow, tier: PriceTier, lines: readonly CostLine[]) {
    const pico = safePico(lines)
    this.nanoUsd = pico === undefined ? nanoFromPico(exactPico(lines)) : nanoFromSafePico(pico)
    this.lines = lines
    this.tier = tier
    this.model = row.model
    this.asOf = row.asOf
    this.basis = row.basis
  }

  get picoUsd(): bigint {
    return exactPico(this.lines)
  }
}

/** A cost that the provider told. */
class ReportedTotal implements Cost {
  readonly nanoUsd: number
  readonly lines: readonly CostLine[] = []
  readonly model: string
  readonly asOf: string
  readonly basis = "provider"
  declare readonly difference?: number
  readonly #pico: bigint

  constructor(model: string, asOf: string, pico: bigint, table: Cost | undefined) {
    this.nanoUsd = nanoFromPico(pico)
    this.model = model
    this.asOf = asOf
    this.#pico = pico
    if (table !== undefined) this.difference = this.nanoUsd - table.nanoUsd
  }

  get picoUsd(): bigint {
    return this.#pico
  }
}

/** What a call cost by the row. */
export function costOfRow(priced: PricedRow, usage: Usage, options: CostOptions | undefined): Cost {
  const reported = options?.reported
  if (reported === undefined) return listCost(priced, usage, options)
  return costAsReported(priced.row.model, reported, options, listCostIfPriced(priced, usage, options))
}

function listCost(priced: PricedRow, usage: Usage, options: CostOptions | undefined): Cost {
  const { row } = priced
  const sheet = sheetAt(priced, options?.serviceTier, options?.at)
  if (sheet === undefined) throw noPriceYet(row.model)
  const { tier, rates } = tierFor(sheet, usage.inputTokens)
  return new BilledCost(row, tier, billOf(row.model, rates, usage))
}

/** What the provider charged is known even where the list has no rate for what was used; a usage that cannot be is a mistake. */
function listCostIfPriced(priced: PricedRow, usage: Usage, options: CostOptions | undefined): Cost | undefined {
  try {
    return listCost(priced, usage, options)
  } catch (error) {
    if (P2Error.isInstance(error) && (error.code === "unpriced-usage" || error.code === "unknown-model"))
      return undefined
    throw error
  }
}

/** What a call cost by the provider's word, with its difference to the table where there is one. */
export function costAsReported(
  model: string,
  reported: ReportedCost,
  options: CostOptions | undefined,
  table?: Cost,
): Cost {
  const at = instantMs(options?.at === undefined ? Date.now() : options.at, "at")
  return new ReportedTotal(model, new Date(at).toISOString().slice(0, 10), reportedPico(reported), table)
}
