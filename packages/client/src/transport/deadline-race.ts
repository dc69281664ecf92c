import { AbortedError } from "@p2/core"
import { onAbort } from "@p2/guard/transport"
import { DeadlineExceededError } from "../errors"
import type { DeadlineName } from "../receipt"

const NAMES: readonly DeadlineName[] = ["total", "connect", "first-content", "idle"]

interface Deadline {
  /** On the clock of `performance.now()`. */
  at: number
  timeoutMs: number
  applies: (() => boolean) | undefined
}

/** The longest timer. It covers the total and the connect deadline of most calls, so that no timer is replaced. */
const MAX_TIMER_MS = 10_000

/**
 * Ends an attempt when one of its deadlines passes or the caller's signal fires, even if the transport ignores its own
 * abort signal: {@link wait} rejects at that moment, and the transport is aborted as well. One timer serves all deadlines.
 */
export class DeadlineRace {
  readonly #controller = new AbortController()
  readonly #callerSignal: AbortSignal | undefined
  #deadlines: Partial<Record<DeadlineName, Deadline | undefined>> = {}
  #stopListening: (() => void) | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #timerFiresAt = Number.POSITIVE_INFINITY
  /** Rejects the current wait. */
  #rejectWait: ((error: AbortedError | DeadlineExceededError) => void) | undefined
  /** Why the race ended; undefined while it continues. */
  error: AbortedError | DeadlineExceededError | undefined

  constructor(callerSignal: AbortSignal | undefined) {
    this.#callerSignal = callerSignal
    if (callerSignal === undefined) return
    if (callerSignal.aborted) this.#onCallerAbort()
    else this.#stopListening = onAbort(callerSignal, this.#onCallerAbort)
  }

  /** For the transport. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /**
   * Starts or restarts the deadline of this name. `timeoutMs` is reported in the error; `remainingMs` is how much of it
   * remains (default: all). A deadline is ignored if `applies` returns false when it passes.
   */
  start(name: DeadlineName, timeoutMs: number, options: { remainingMs?: number; applies?: () => boolean } = {}): void {
    const at = performance.now() + Math.max(0, options.remainingMs ?? timeoutMs)
    this.#deadlines[name] = { at, timeoutMs, applies: options.applies }
    this.#setTimer(at)
  }

  /** Content arrived: the first-content deadline is met, and the idle deadline starts again. */
  refreshIdle(idleMs: number): void {
    const { idle } = this.#deadlines
    if (idle !== undefined) idle.at = performance.now() + idleMs
    else {
      this.#deadlines["first-content"] = undefined
      this.start("idle", idleMs)
    }
  }

  /** The transport has finished: only the total deadline remains. */
  keepTotal(): void {
    this.#deadlines = { total: this.#deadlines.total }
  }

  /** Settles as the promise does, or rejects when the race ends. One wait at a time; a late rejection is ignored. */
  wait<T>(promise: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.error !== undefined) reject(this.error)
      this.#rejectWait = reject
      promise.then(resolve, reject)
    })
  }

  /** Ends the transport, but not the race: the wait rejects as the transport does. */
  abortTransport(reason: unknown): void {
    this.#controller.abort(reason)
  }

  /** Stops the timer and the listener. Aborts the transport if it may still be running. */
  finish(options: { abortTransport: boolean }): void {
    clearTimeout(this.#timer)
    this.#stopListening?.()
    if (options.abortTransport) this.#controller.abort()
  }

  /** A timer that fires before its deadline starts again. */
  #setTimer(at: number): void {
    if (this.error !== undefined || at >= this.#timerFiresAt) return
    clearTimeout(this.#timer)
    const now = performance.now()
    const delayMs = Math.min(Math.ceil(at - now), MAX_TIMER_MS)
    this.#timerFiresAt = now + delayMs
    this.#timer = setTimeout(this.#onTimer, delayMs)
  }

  readonly #onTimer = () => {
    this.#timerFiresAt = Number.POSITIVE_INFINITY
    const now = performance.now()
    for (const name of NAMES) {
      const deadline = this.#deadlines[name]
      if (deadline === undefined) continue
      if (deadline.at > now) this.#setTimer(deadline.at)
      else {
        this.#deadlines[name] = undefined
        if (deadline.applies?.() !== false) return this.#end(new DeadlineExceededError(name, deadline.timeoutMs))
      }
    }
  }

  readonly #onCallerAbort = () => this.#end(new AbortedError("The call", this.#callerSignal))

  #end(error: AbortedError | DeadlineExceededError): void {
    if (this.error !== undefined) return
    this.error = error
    this.#rejectWait?.(error)
    this.#controller.abort(error)
  }
}
