import { InvalidArgumentError } from "@p2/core"
import { counterRefOf, readCounterName } from "../limits/counters"
import type { BudgetStore, Name, SettleCounter, SettleReply, SettleRequest } from "../store/budget-store"
import { corrupt, StoreError, unavailable } from "../store/store-error"
import { atMost, backoffMs } from "./delays"
import type { BudgetServices } from "./process-state"

const FIRST_DELAY_MS = 100
const MAX_DELAY_MS = 5_000

/** A reply of `settle` that needs no second settle. */
export type FinalSettleReply = Exclude<SettleReply, { status: "other-counters" }>

/**
 * Settles. If the reservation was made in other counters (a retry after midnight names today's windows), settles again in
 * those counters, with the same amounts per unit.
 */
export async function settleWhereReserved(store: BudgetStore, request: SettleRequest): Promise<FinalSettleReply> {
  const reply = await store.settle(request)
  if (reply.status !== "other-counters") return reply
  const counters = reply.storedCounters.map((name) => renameCounter(store.name, request, name))
  const second = await store.settle({ ...request, counters })
  if (second.status !== "other-counters") return second
  throw unavailable(`The store "${store.name}" replied "other-counters" twice in a row for one reservation.`)
}

function renameCounter(store: string, request: SettleRequest, name: Name): SettleCounter {
  const parts = readCounterName(name)
  const counter = request.counters.find((each) => readCounterName(each.name)?.unit === parts?.unit)
  if (parts !== undefined && counter !== undefined)
    return { ...counterRefOf(name, parts), reserved: counter.reserved, amount: counter.amount }
  throw corrupt(`The store "${store}" replied with the counter "${name}", which does not belong to this reservation.`)
}

/** A settle or release that the store has not confirmed. */
export interface UnconfirmedSettle {
  request: SettleRequest
  leaseMs: number
  /** The error of the first attempt; absent if it was not sent yet. */
  failure?: StoreError | undefined
  /** Called once, without a reply if the settle was given up. The settle is pending until this call returns. */
  onReply: (reply: FinalSettleReply | undefined) => Promise<void>
}

interface Job extends UnconfirmedSettle {
  attempts: number
  /** Local time after which the settle is not sent again; undefined: no deadline. */
  deadline: number | undefined
  timer: ReturnType<typeof setTimeout> | undefined
}

/**
 * Settles and releases that the store did not confirm. Each is sent again with the same content until the store confirms
 * it, or until its deadline.
 */
export class UnconfirmedSettles {
  readonly #services: BudgetServices
  readonly #jobs = new Set<Job>()
  #isClosed = false
  #idleWaiters: (() => void)[] = []

  constructor(services: BudgetServices) {
    this.#services = services
  }

  get size(): number {
    return this.#jobs.size
  }

  /** Whether a settle or release of this key is pending. */
  has(partition: Name, key: Name): boolean {
    for (const { request } of this.#jobs) if (request.key === key && request.partition === partition) return true
    return false
  }

  add(settle: UnconfirmedSettle): void {
    const { request, failure, onReply } = settle
    if (this.#isClosed) {
      this.#services.warn(
        `The budget was closed before the ${nounOf(request)} of reservation "${request.key}" was confirmed; its lease decides what is charged.`,
        failure,
      )
      void onReply(undefined)
      return
    }
    const job: Job = { ...settle, attempts: 0, deadline: undefined, timer: undefined }
    if (failure !== undefined || request.expiresAt !== null) this.#limit(job, failure)
    this.#jobs.add(job)
    this.#schedule(job)
  }

  /** Sends everything now. Resolves to true if nothing is pending when the time is up. */
  async flush(timeoutMs: number): Promise<boolean> {
    if (!(timeoutMs >= 0)) throw new InvalidArgumentError("timeoutMs", "milliseconds, at least 0", timeoutMs)
    if (this.#jobs.size === 0) return true
    for (const job of this.#jobs) {
      if (job.timer === undefined) continue
      clearTimeout(job.timer)
      job.attempts = 0
      void this.#send(job)
    }
    await atMost(timeoutMs, new Promise<void>((resolve) => this.#idleWaiters.push(resolve)))
    return this.#jobs.size === 0
  }

  /** Stops sending, now and later. Resolves to the number of unconfirmed settles. */
  async giveUp(): Promise<number> {
    this.#isClosed = true
    const jobs = [...this.#jobs]
    await Promise.all(jobs.map((job) => this.#end(job, undefined)))
    return jobs.length
  }

  #schedule(job: Job): void {
    job.timer = setTimeout(() => void this.#send(job), backoffMs(job.attempts, FIRST_DELAY_MS, MAX_DELAY_MS))
    job.timer.unref?.()
  }

  async #send(job: Job): Promise<void> {
    job.timer = undefined
    job.attempts++
    try {
      await this.#end(job, await settleWhereReserved(this.#services.store, job.request))
    } catch (error) {
      if (!this.#jobs.has(job)) return
      const isFailure = StoreError.isInstance(error)
      if (isFailure) this.#limit(job, error)
      if (isFailure && (job.deadline === undefined || Date.now() < job.deadline)) return this.#schedule(job)
      this.#services.warn(
        `The ${nounOf(job.request)} of reservation "${job.request.key}" was given up; its lease decides what is charged.`,
        error,
      )
      await this.#end(job, undefined)
    }
  }

  /**
   * Sets the deadline. A settle without a lease that was already applied would be charged twice if it were sent after the
   * store has forgotten its key. Half of the retention keeps clear of that even if clocks differ. With a lease, the store
   * rejects a settle of a forgotten key, so sending it later would have no effect.
   */
  #limit(job: Job, failure: StoreError | undefined): void {
    const { request, leaseMs } = job
    if (request.expiresAt === null && failure?.applied !== "maybe") return
    job.deadline ??= Date.now() + leaseMs + this.#services.store.capabilities.retentionMs / 2
  }

  async #end(job: Job, reply: FinalSettleReply | undefined): Promise<void> {
    if (!this.#jobs.has(job)) return
    clearTimeout(job.timer)
    // The job stays pending during `onReply`, which may send another settle of the key.
    job.timer = undefined
    const { onReply } = job
    job.onReply = async () => {}
    await onReply(reply)
    if (!this.#jobs.delete(job) || this.#jobs.size > 0) return
    for (const resolve of this.#idleWaiters.splice(0)) resolve()
  }
}

function nounOf({ outcome }: SettleRequest): string {
  return outcome === "settled" ? "settlement" : "release"
}
