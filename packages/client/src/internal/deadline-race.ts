import { AbortedError } from "@p2/core"
import { DeadlineExceededError } from "../client-errors"
import type { DeadlineName } from "../receipt"

/**
 * Ends an attempt when its deadline passes or the caller's signal fires, whatever the transport does: everything that
 * waits is raced against {@link DeadlineRace.ended}, and the transport is aborted besides.
 */
export class DeadlineRace {
  readonly #controller = new AbortController()
  readonly #timers: (NodeJS.Timeout | undefined)[] = []
  readonly #caller: AbortSignal | undefined
  #reject!: (error: AbortedError | DeadlineExceededError) => void
  /** Rejects once, when the attempt has to end. */
  readonly ended: Promise<never>
  /** Why it ended. */
  error: AbortedError | DeadlineExceededError | undefined

  constructor(caller: AbortSignal | undefined) {
    this.ended = new Promise<never>((_, reject) => {
      this.#reject = reject
    })
    // Nobody may be waiting when it fires.
    this.ended.catch(() => {})
    this.#caller = caller
    if (caller === undefined) return
    if (caller.aborted) this.#onCallerAbort()
    else caller.addEventListener("abort", this.#onCallerAbort, { once: true })
  }

  /** For the transport. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /**
   * Starts a deadline of this name, or starts it anew. `timeoutMs` is what the error says, `inMs` what is left of it.
   * When it passes and `applies` says false, nothing happens.
   */
  start(name: DeadlineName, timeoutMs: number, options: { inMs?: number; applies?: () => boolean } = {}): void {
    const index = NAMES.indexOf(name)
    clearTimeout(this.#timers[index])
    if (this.error !== undefined) return
    const onTime = () => {
      if (options.applies?.() !== false) this.#end(new DeadlineExceededError(name, timeoutMs))
    }
    this.#timers[index] = setTimeout(onTime, Math.max(0, options.inMs ?? timeoutMs))
  }

  /** Starts a running deadline of this name anew, without a new timer. */
  refresh(name: DeadlineName): void {
    this.#timers[NAMES.indexOf(name)]?.refresh()
  }

  /** Stops one deadline. */
  stop(name: DeadlineName): void {
    const index = NAMES.indexOf(name)
    clearTimeout(this.#timers[index])
    this.#timers[index] = undefined
  }

  /** The promise's outcome, or the end, whichever is first. A loser's rejection is swallowed. */
  race<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.ended])
  }

  /** Stops everything. The transport is aborted if it is still at work. */
  finish(options: { abortTransport: boolean }): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#caller?.removeEventListener("abort", this.#onCallerAbort)
    if (options.abortTransport) this.#controller.abort()
  }

  readonly #onCallerAbort = () => this.#end(new AbortedError("The call", this.#caller))

  #end(error: AbortedError | DeadlineExceededError): void {
    if (this.error !== undefined) return
    this.error = error
    this.#reject(error)
    this.#controller.abort(error)
  }
}

const NAMES: readonly DeadlineName[] = ["total", "connect", "first-content", "idle"]
