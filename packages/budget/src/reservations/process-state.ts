import { LruMap } from "@p2/core"
import { type Amount, type GivenAmount, UNITS } from "../limits/amount"
import type { Unit } from "../limits/subject"
import type { BudgetStore, CounterChange, Millis, Name } from "../store/budget-store"
import { corrupt, type StoreError } from "../store/store-error"

/** What the background work of a budget uses. */
export interface BudgetServices {
  readonly store: BudgetStore
  readonly clock: StoreClock
  /** Called after every change of counters. */
  changed(partition: Name, changes: readonly CounterChange[]): void
  warn(message: string, cause?: unknown): void
}

/** Runs work on the same key one after another: this process never reserves a key twice concurrently. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>()

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const earlier = this.#last.get(key)
    const result = earlier === undefined ? work() : earlier.then(work)
    const end = result.then(ignore, ignore)
    this.#last.set(key, end)
    try {
      return await result
    } finally {
      if (this.#last.get(key) === end) this.#last.delete(key)
    }
  }
}

function ignore(): void {}

const MAX_PARTITIONS = 1_000
/**
 * How many times a request is sent when the reply asks to send it again, for example in the windows of the store's time.
 * Windows change at most once during a call, so a third such reply is an error of the store.
 */
export const MAX_ROUNDS = 3

export function repeatedReplyError(store: string, status: string): StoreError {
  return corrupt(`The store "${store}" replied "${status}" ${MAX_ROUNDS} times in a row.`)
}

/** An estimate of the store's time, by partition. Every reply corrects it, so a wrong local clock does not matter. */
export class StoreClock {
  readonly #offsets = new LruMap<string, number>(MAX_PARTITIONS)

  now(partition: string): Millis {
    return Date.now() + (this.#offsets.get(partition) ?? 0)
  }

  /** Takes over the time of a reply. */
  update(partition: string, storeNow: Millis): void {
    this.#offsets.set(partition, storeNow - Date.now())
  }
}

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
