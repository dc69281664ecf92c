import { LruMap } from "@p2/core"
import { type CallCounter, counterBefore } from "../limits/counters"
import { hashText } from "../limits/names"
import type { AdjustReply, BudgetStore, CounterChange } from "../store/budget-store"
import type { Name } from "../store/shape"
import type { StoreClock } from "./process-state"

/** How many counters this process remembers as granted. */
const MAX_REMEMBERED = 10_000

export interface CarryOversOptions {
  store: BudgetStore
  clock: StoreClock
  onChanged: (partition: Name, changes: readonly CounterChange[]) => void
}

/**
 * Grants what remained of the window before, once per counter: the adjustment has a key that the name of the counter
 * determines, so that every process makes the same one. Before the first reserve of a window, a process makes three calls:
 *
 * 1. It adjusts the counter by 0. That writes the partition's time, so that from then on no store admits anything in the
 *    window before.
 * 2. It reads the counter of the window before. What is reserved there may still be spent, so it does not remain.
 * 3. It grants what remained. If another process has granted already, the store replies `replayed` or `mismatch`.
 */
export class CarryOvers {
  readonly #options: CarryOversOptions
  readonly #granted = new LruMap<string, true>(MAX_REMEMBERED)

  constructor(options: CarryOversOptions) {
    this.#options = options
  }

  /** @throws StoreError: nothing may be reserved then. */
  async grant(partition: Name, counters: readonly CallCounter[]): Promise<void> {
    for (const counter of counters) {
      // Several limits share a counter, and a grant raises all of them: the smallest decides.
      const { limit, carryOver } = counter.limits[0]!
      const before = carryOver > 0 ? counterBefore(counter) : undefined
      const remembered = `${partition} ${counter.name}`
      if (limit === null || before === undefined || this.#granted.get(remembered)) continue
      const opened = await this.#adjust(partition, counter, "open", 0)
      // The reserve gets the same reply, and then names the window of the store's time.
      if (opened.status === "stale-window") continue
      const { counters: states } = await this.#options.store.read({ partition, counters: [before] })
      const { spent, reserved, granted } = states[0]!
      const isUnused = spent === 0 && reserved === 0 && granted === 0
      const remained = isUnused ? 0 : Math.min(carryOver, limit + granted - spent - reserved)
      if (remained > 0) {
        const reply = await this.#adjust(partition, counter, "carry-over", remained)
        if (reply.status === "stale-window") continue
        if (reply.status === "ok") this.#options.onChanged(partition, [reply.counter])
      }
      this.#granted.set(remembered, true)
    }
  }

  async #adjust(partition: Name, counter: CallCounter, step: string, delta: number): Promise<AdjustReply> {
    const { clock, store } = this.#options
    const { name, startsAt, endsAt, keepMs } = counter
    const key = `${step}.${hashText(name)}`
    const ref = { name, startsAt, endsAt, keepMs }
    const reply = await store.adjust({ partition, key, counter: ref, kind: "granted", delta })
    clock.update(partition, reply.now)
    return reply
  }
}
