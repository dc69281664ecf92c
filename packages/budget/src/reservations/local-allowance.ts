import { type Amount, type GivenAmount, UNITS } from "../limits/amount"
import type { Unit } from "../limits/subject"

/**
 * The amount that this process may admit while the store is down. An admitted amount counts until the store has confirmed
 * its charge.
 */
export class LocalAllowance {
  readonly #cap: GivenAmount
  readonly #used = { nanoUsd: 0, tokens: 0, requests: 0 }

  constructor(cap: GivenAmount) {
    this.#cap = cap
  }

  /** Returns false if the amount does not fit, or if a unit that a limit counts has no cap. */
  admit(amount: Amount, countedUnits: ReadonlySet<Unit>): boolean {
    const fits = UNITS.every((unit) => {
      const cap = this.#cap[unit]
      if (cap === undefined) return unit === "requests" || !countedUnits.has(unit)
      return this.#used[unit] + (amount[unit] ?? 0) <= cap
    })
    if (!fits) return false
    for (const unit of UNITS) this.#used[unit] += amount[unit] ?? 0
    return true
  }

  release(amount: Amount): void {
    for (const unit of UNITS) this.#used[unit] -= amount[unit] ?? 0
  }
}
