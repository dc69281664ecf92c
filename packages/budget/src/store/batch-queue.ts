import { StoreError, unavailable } from "./store-error"

/** Maximum number of calls that wait in one queue. */
const MAX_WAITING = 10_000

export type Outcome = { status: "done"; reply: unknown } | { status: "failed"; error: unknown }

interface Waiting<Job> {
  job: Job
  since: number
  end(outcome: Outcome): void
}

export interface BatchQueueOptions<Job> {
  maxBatch: number
  timeoutMs: number
  /** Resolves to one outcome per job, in order. Rejects when none was applied, or when that is unknown. */
  run(jobs: readonly Job[]): Promise<Outcome[]>
  /** Called when no job is left: the queue may be deleted. */
  onIdle(): void
}

/** Runs jobs in batches, one batch after another: jobs that arrive during a batch share the next one. */
export class BatchQueue<Job> {
  readonly #options: BatchQueueOptions<Job>
  readonly #waiting: Waiting<Job>[] = []
  #isRunning = false
  /** Resolves when no job is left. */
  idle: Promise<void> = Promise.resolve()

  constructor(options: BatchQueueOptions<Job>) {
    this.#options = options
  }

  add(job: Job): Promise<unknown> {
    if (this.#waiting.length >= MAX_WAITING)
      return Promise.reject(unavailable(`${MAX_WAITING} calls of this partition are waiting for the store.`))
    return new Promise((resolve, reject) => {
      const end = (outcome: Outcome) => (outcome.status === "done" ? resolve(outcome.reply) : reject(outcome.error))
      this.#waiting.push({ job, since: performance.now(), end })
      if (!this.#isRunning) this.idle = this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    while (this.#waiting.length > 0) {
      // Callers whose call has just resolved may send their next call in this turn.
      await nextTurn()
      const batch = this.#waiting.splice(0, this.#options.maxBatch)
      await this.#runBatch(this.#withoutLate(batch))
    }
    this.#isRunning = false
    this.#options.onIdle()
  }

  async #runBatch(batch: readonly Waiting<Job>[]): Promise<void> {
    if (batch.length === 0) return
    try {
      const outcomes = await this.#options.run(batch.map(({ job }) => job))
      for (const [index, { end }] of batch.entries()) end(outcomes[index]!)
    } catch (error) {
      // A damaged record that the storage itself cannot read must fail its own caller only.
      const isDamage = StoreError.isInstance(error) && error.code === "store-corrupt" && error.applied === "no"
      if (isDamage && batch.length > 1) for (const waiting of batch) await this.#runBatch([waiting])
      else for (const { end } of batch) end({ status: "failed", error })
    }
  }

  /** Rejects jobs that waited longer than the timeout, so that only current calls are sent after an outage. */
  #withoutLate(batch: readonly Waiting<Job>[]): Waiting<Job>[] {
    const { timeoutMs } = this.#options
    const now = performance.now()
    return batch.filter(({ since, end }) => {
      if (now - since <= timeoutMs) return true
      end({ status: "failed", error: unavailable(`The call waited ${timeoutMs} ms for the calls before it.`) })
      return false
    })
  }
}

/** Resolves in the next turn of the event loop: timers, sockets and other callers run first. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === "function") setImmediate(resolve)
    else setTimeout(resolve, 0)
  })
}
