import { LruMap } from "@p2/core"
import { type CallCounter, counterBefore } from "../limits/counters"
import { hashText } from "../limits/names"
import type { AdjustReply, Name } from "../store/budget-store"
import type { BudgetServices } from "./process-state"

/** How many counters this process remembers as granted. */
const MAX_REMEMBERED = 10_000

/** Whether a counter may be granted what remained of the previous window. */
export function carriesOver({ limits }: CallCounter): boolean {
  // Several limits share a counter, and a grant raises all of them: the smallest decides.
  return limits[0]!.carryOver > 0
}

/**
 * Grants what remained of the previous window, once per counter: the counter's name determines the adjustment's key, so
 * every process makes the same adjustment. Before the first reserve of a window, a process makes three calls:
 *
 * 1. It adjusts the counter by 0. That writes the partition's time, so that from then on no store admits anything in the
 *    previous window.
 * 2. It reads the counter of the previous window. What is reserved there may still be spent, so it does not remain.
 * 3. It grants what remained. If another process has granted already, the store replies `replayed` or `mismatch`.
 */
export class CarryOvers {
  readonly #services: BudgetServices
  readonly #granted = new LruMap<string, true>(MAX_REMEMBERED)

  constructor(services: BudgetServices) {
    this.#services = services
  }

  /** @throws StoreError: nothing may be reserved then. */
  async grant(partition: Name, counters: readonly CallCounter[]): Promise<void> {
    for (const counter of counters) {
      const { limit, carryOver } = counter.limits[0]!
      const before = carriesOver(counter) ? counterBefore(counter) : undefined
      const remembered = `${partition} ${counter.name}`
      if (limit === null || before === undefined || this.#granted.get(remembered)) continue
      const opened = await this.#adjust(partition, counter, "open", 0)
      // The reserve gets the same reply, and then names the window of the store's time.
      if (opened.status === "stale-window") continue
      const { counters: states } = await this.#services.store.read({ partition, counters: [before] })
      const { spent, reserved, granted } = states[0]!
      const isUnused = spent === 0 && reserved === 0 && granted === 0
      const remained = isUnused ? 0 : Math.min(carryOver, limit + granted - spent - reserved)
      if (remained > 0) {
        const reply = await this.#adjust(partition, counter, "carry-over", remained)
        if (reply.status === "stale-window") continue
        if (reply.status === "ok") this.#services.changed(partition, [reply.counter])
      }
      this.#granted.set(remembered, true)
    }
  }

  async #adjust(partition: Name, counter: CallCounter, step: string, delta: number): Promise<AdjustReply> {
    const { clock, store } = this.#services
    const { name, startsAt, endsAt, keepMs } = counter
    const key = `${step}.${hashText(name)}`
    const ref = { name, startsAt, endsAt, keepMs }
    const reply = await store.adjust({ partition, key, counter: ref, kind: "granted", delta })
    clock.update(partition, reply.now)
    return reply
  }
}
