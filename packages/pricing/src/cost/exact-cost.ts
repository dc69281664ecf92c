import type { NanoUsd } from "@p2/core"
import type { Bound, Cost, CostLine, PriceTier } from "./cost"
import { nanoFromPico } from "./exact-sum"

type CostFields = Omit<Bound, "nanoUsd" | "picoUsd">

/** A cost or a bound with its exact sum, which is omitted from JSON because JSON has no bigint. */
export class ExactCost implements Bound {
  readonly nanoUsd: NanoUsd
  declare readonly tokens: number
  declare readonly lines: readonly CostLine[]
  declare readonly tier?: PriceTier
  declare readonly model: string
  declare readonly asOf: string
  declare readonly basis: Cost["basis"]
  declare readonly differenceNanoUsd?: number
  declare readonly assumptions?: readonly string[]
  declare readonly maxPrice?: NonNullable<Bound["maxPrice"]>
  readonly #pico: bigint

  constructor(pico: bigint, fields: CostFields, argument = "usage") {
    this.nanoUsd = nanoFromPico(pico, argument)
    this.#pico = pico
    Object.assign(this, fields)
  }

  get picoUsd(): bigint {
    return this.#pico
  }
}
