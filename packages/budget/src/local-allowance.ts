import type { Amount } from "./budget"
import type { GivenAmount } from "./read-amount"
import type { Unit } from "./subject"

const UNITS: readonly Unit[] = ["nanoUsd", "tokens", "requests"]

/**
 * What this process may admit while the store is down. An amount counts from its admission until the store has confirmed
 * what was charged for it.
 */
export class LocalAllowance {
  readonly #cap: GivenAmount
  readonly #used = { nanoUsd: 0, tokens: 0, requests: 0 }

  constructor(cap: GivenAmount) {
    this.#cap = cap
  }

  /** False when it does not fit, or when a unit that the call's limits count has no cap. */
  admit(amount: Amount, counted: ReadonlySet<Unit>): boolean {
    const fits = UNITS.every((unit) => {
      const cap = this.#cap[unit]
      if (cap === undefined) return unit === "requests" || !counted.has(unit)
      return this.#used[unit] + (amount[unit] ?? 0) <= cap
    })
    if (!fits) return false
    for (const unit of UNITS) this.#used[unit] += amount[unit] ?? 0
    return true
  }

  giveBack(amount: Amount): void {
    for (const unit of UNITS) this.#used[unit] -= amount[unit] ?? 0
  }
}
