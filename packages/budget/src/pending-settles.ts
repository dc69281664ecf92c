import { InvalidArgumentError } from "@p2/core"
import { keyOf } from "./id-uses"
import type { Millis, SettleRequest, SettleResult } from "./store"
import { isStoreError } from "./store-calls"
import type { StoreError } from "./store-error"

/** Longer timers end at once. */
const MAX_TIMER_MS = 2 ** 31 - 1
const FIRST_DELAY_MS = 100
const MOST_DELAY_MS = 5_000

interface Job {
  request: SettleRequest
  /** By the store's clock; later the request would be `forgotten`, or charged twice. Null: no attempt may have arrived. */
  endsAt: Millis | null
  attempts: number
  timer: ReturnType<typeof setTimeout> | undefined
  isOver: boolean
  done: Done
}

/** What follows from an answer; the job is pending until it is done. */
type Done = (answer: SettleResult | undefined) => void | Promise<void>

export interface PendingOptions {
  settle: (request: SettleRequest) => Promise<SettleResult>
  now: () => Millis
  retentionMs: number
  warn: (message: string, cause?: unknown) => void
}

/** Settles and releases that the store did not confirm: sent again with the same bytes until it does, or has forgotten. */
export class PendingSettles {
  readonly #options: PendingOptions
  readonly #jobs = new Set<Job>()
  readonly #keys = new Map<string, number>()
  #isClosed = false
  #waiters: (() => void)[] = []

  constructor(options: PendingOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#jobs.size
  }

  /** Whether a release or settle of an id is on its way; the key is {@link keyOf} root and id. */
  has(key: string): boolean {
    return this.#keys.size > 0 && this.#keys.has(key)
  }

  /** Sends in the background. `done` is called once, without an answer when it was given up. */
  add(request: SettleRequest, done: Done, failure?: StoreError): void {
    if (this.#isClosed) {
      this.#options.warn(
        `The ${request.outcome} of reservation "${request.id}" came after the end of the budget and was not confirmed; its lease decides what is charged.`,
        failure,
      )
      void done(undefined)
      return
    }
    const job: Job = { request, endsAt: this.#endOf(request), attempts: 0, timer: undefined, isOver: false, done }
    if (failure !== undefined) this.#learn(job, failure)
    this.#jobs.add(job)
    const key = keyOf(request.root, request.id)
    this.#keys.set(key, (this.#keys.get(key) ?? 0) + 1)
    this.#schedule(job)
  }

  /** Sends everything at once. True when nothing is pending any more within the time. */
  async flush(timeoutMs: number): Promise<boolean> {
    if (!(timeoutMs >= 0)) throw new InvalidArgumentError("timeoutMs", "milliseconds, at least 0", timeoutMs)
    if (this.#jobs.size === 0) return true
    for (const job of this.#jobs) {
      if (job.timer === undefined) continue
      clearTimeout(job.timer)
      job.attempts = 0
      void this.#send(job)
    }
    let timer: ReturnType<typeof setTimeout> | undefined
    const isEmpty = new Promise<void>((resolve) => this.#waiters.push(resolve))
    const isOver = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, Math.min(timeoutMs, MAX_TIMER_MS))
    })
    await Promise.race([isEmpty, isOver])
    clearTimeout(timer)
    return this.#jobs.size === 0
  }

  /** Stops sending, also what comes later; expiry decides about the rest. */
  giveUp(): number {
    this.#isClosed = true
    const left = this.#jobs.size
    for (const job of this.#jobs) void this.#end(job, undefined)
    return left
  }

  #endOf({ expiresAt }: SettleRequest): Millis | null {
    // Half of the retention: enough for any failure, and far from its end by any clock.
    return expiresAt === null ? null : expiresAt + this.#options.retentionMs / 2
  }

  #schedule(job: Job): void {
    const base = Math.min(MOST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(job.attempts, 10))
    // Jitter: many processes lose one store at the same time.
    job.timer = setTimeout(() => void this.#send(job), base * (0.5 + Math.random() / 2))
    job.timer.unref?.()
  }

  async #send(job: Job): Promise<void> {
    job.timer = undefined
    job.attempts++
    try {
      const answer = await this.#options.settle(job.request)
      await this.#end(job, answer)
    } catch (error) {
      if (job.isOver) return
      if (isStoreError(error)) this.#learn(job, error)
      const isOver = job.endsAt !== null && this.#options.now() >= job.endsAt
      if (isStoreError(error) && !isOver) return this.#schedule(job)
      this.#options.warn(
        `The ${job.request.outcome} of reservation "${job.request.id}" was given up; its lease decides what is charged.`,
        error,
      )
      await this.#end(job, undefined)
    }
  }

  /** A request without a lease could be charged a second time once the store forgot the first. */
  #learn(job: Job, failure: StoreError): void {
    if (failure.applied === "maybe") job.endsAt ??= this.#options.now() + this.#options.retentionMs / 2
  }

  async #end(job: Job, answer: SettleResult | undefined): Promise<void> {
    if (job.isOver) return
    job.isOver = true
    clearTimeout(job.timer)
    await job.done(answer)
    this.#jobs.delete(job)
    const key = keyOf(job.request.root, job.request.id)
    const count = this.#keys.get(key)! - 1
    if (count === 0) this.#keys.delete(key)
    else this.#keys.set(key, count)
    if (this.#jobs.size > 0) return
    for (const waiter of this.#waiters.splice(0)) waiter()
  }
}
