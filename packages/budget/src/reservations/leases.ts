import { LruMap } from "@p2/core"
import type { ExpireReply } from "../store/budget-store"
import type { Name } from "../store/shape"
import { StoreError } from "../store/store-error"
import type { BudgetServices } from "./process-state"

const PAGE = 64
const MIN_INTERVAL_MS = 1_000
const MAX_PARTITIONS = 1_000
/** Maximum number of leases in one sweep. */
export const MAX_SWEEP = 2_048

export interface SweepResult {
  expired: number
  /** Whether more ended leases may wait. */
  more: boolean
}

/** A reservation whose lease is extended. */
export interface ExtendedLease {
  readonly leaseMs: number
  /** Extends the lease. Resolves to whether it should be extended again, and never rejects. */
  extendLease(): Promise<boolean>
}

/**
 * Extends leases each time a third of them has passed, never twice at the same time. The timers do not keep the process
 * alive: if it ends, the lease ends too.
 */
export class Heartbeats {
  readonly #timers = new Map<ExtendedLease, ReturnType<typeof setTimeout>>()

  start(lease: ExtendedLease): void {
    const timer = setTimeout(() => void this.#beat(lease), lease.leaseMs / 3)
    timer.unref?.()
    this.#timers.set(lease, timer)
  }

  stop(lease: ExtendedLease): void {
    clearTimeout(this.#timers.get(lease))
    this.#timers.delete(lease)
  }

  stopAll(): void {
    for (const lease of this.#timers.keys()) this.stop(lease)
  }

  async #beat(lease: ExtendedLease): Promise<void> {
    const shouldContinue = await lease.extendLease()
    // It may have been stopped meanwhile.
    if (!this.#timers.has(lease)) return
    if (shouldContinue) this.start(lease)
    else this.stop(lease)
  }
}

/** Expires reservations whose lease has ended: at most one sweep of a partition at a time. */
export class Sweeper {
  readonly #services: BudgetServices
  readonly #running = new Map<Name, Promise<SweepResult>>()
  readonly #startedAt = new LruMap<Name, number>(MAX_PARTITIONS)
  #isStopped = false

  constructor(services: BudgetServices) {
    this.#services = services
  }

  /** Starts a sweep in the background, at most once a second. */
  start(partition: Name): void {
    const startedAt = this.#startedAt.get(partition)
    if (startedAt !== undefined && performance.now() - startedAt < MIN_INTERVAL_MS) return
    this.join(partition).catch((error: unknown) => {
      // The next call reports a store failure.
      if (!StoreError.isInstance(error)) this.#services.warn("Expired reservations could not be swept.", error)
    })
  }

  /** Joins the running sweep, or starts one. */
  join(partition: Name): Promise<SweepResult> {
    const running = this.#running.get(partition)
    if (running !== undefined) return running
    this.#startedAt.set(partition, performance.now())
    const sweep = this.#sweep(partition, MAX_SWEEP).finally(() => this.#running.delete(partition))
    this.#running.set(partition, sweep)
    return sweep
  }

  /** Sweeps after the running sweep has ended. */
  async sweep(partition: Name, max: number): Promise<SweepResult> {
    await this.#running.get(partition)?.catch(() => {})
    return this.#sweep(partition, max)
  }

  /** Ends one lease, if it is due. */
  async expire(partition: Name, key: Name, counters: Name[]): Promise<ExpireReply["status"]> {
    const { store } = this.#services
    let reply = await store.expire({ partition, key, counters })
    if (reply.status === "other-counters")
      reply = await store.expire({ partition, key, counters: reply.storedCounters })
    if (reply.status === "expired") this.#services.changed(partition, reply.counters)
    if (reply.status === "damaged")
      this.#services.warn(
        `The record of reservation "${key}" is damaged. Its amount stays reserved. See \`budget.check()\`.`,
      )
    return reply.status
  }

  /** Stops running sweeps after their current page. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await Promise.allSettled(this.#running.values())
  }

  async #sweep(partition: Name, max: number): Promise<SweepResult> {
    const { store } = this.#services
    let expired = 0
    for (let tried = 0; tried < max; ) {
      const limit = Math.min(PAGE, max - tried)
      const { due } = await store.listDue({ partition, limit })
      const results = await Promise.all(due.map(({ key, counters }) => this.expire(partition, key, counters)))
      tried += due.length
      expired += results.filter((status) => status === "expired").length
      if (due.length < limit) return { expired, more: false }
      // Stop if another process is expiring the same leases.
      if (results.every((status) => status === "not-due") || this.#isStopped) return { expired, more: true }
    }
    const { due } = await store.listDue({ partition, limit: 1 })
    return { expired, more: due.length > 0 }
  }
}
