import { AbortedError } from "@p2/core"
import { DeadlineExceededError } from "../client-errors"
import type { DeadlineName } from "../receipt"

/** A deadline under way. */
interface Deadline {
  /** On the clock of `performance.now()`. */
  at: number
  timeoutMs: number
  applies: (() => boolean) | undefined
}

/** Most milliseconds until the timer looks at the deadlines: one that starts later and ends sooner seldom has to replace it. */
const LOOK_MS = 10_000

/**
 * Ends an attempt when its deadline passes or the caller's signal fires, whatever the transport does: what an attempt
 * waits for is raced against the end, and the transport is aborted besides. One timer serves all deadlines.
 */
export class DeadlineRace {
  readonly #controller = new AbortController()
  #deadlines: Partial<Record<DeadlineName, Deadline | undefined>> = {}
  readonly #caller: AbortSignal | undefined
  #timer: NodeJS.Timeout | undefined
  #firesAt = Number.MAX_VALUE
  /** Ends the wait under way. */
  #leave: ((error: AbortedError | DeadlineExceededError) => void) | undefined
  /** Why it ended. */
  error: AbortedError | DeadlineExceededError | undefined

  constructor(caller: AbortSignal | undefined) {
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
    const now = performance.now()
    const at = now + Math.max(0, options.inMs ?? timeoutMs)
    this.#deadlines[name] = { at, timeoutMs, applies: options.applies }
    this.#arm(at, now)
  }

  /** Content came: from now on there may be `idleMs` until more comes. */
  refreshIdle(idleMs: number): void {
    const { idle } = this.#deadlines
    if (idle !== undefined) idle.at = performance.now() + idleMs
    else {
      this.#deadlines["first-content"] = undefined
      this.start("idle", idleMs)
    }
  }

  /** The transport has done its part: only the total deadline goes on. */
  keepTotal(): void {
    this.#deadlines = { total: this.#deadlines.total }
  }

  /** The promise's outcome, or the end, whichever is first; one wait at a time. A loser's rejection is swallowed. */
  race<T>(promise: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.error !== undefined) reject(this.error)
      this.#leave = reject
      promise.then(resolve, reject)
    })
  }

  /** Stops everything. The transport is aborted if it is still at work. */
  finish(options: { abortTransport: boolean }): void {
    clearTimeout(this.#timer)
    this.#caller?.removeEventListener("abort", this.#onCallerAbort)
    if (options.abortTransport) this.#controller.abort()
  }

  #arm(at: number, now: number): void {
    // A timer that fires too early sets itself again, which costs less than to replace it.
    if (this.error !== undefined || at >= this.#firesAt) return
    clearTimeout(this.#timer)
    const inMs = Math.min(Math.ceil(at - now), LOOK_MS)
    this.#firesAt = now + inMs
    this.#timer = setTimeout(this.#onTimer, inMs)
  }

  readonly #onTimer = () => {
    this.#firesAt = Number.MAX_VALUE
    const now = performance.now()
    for (const name of NAMES) {
      const deadline = this.#deadlines[name]
      if (deadline === undefined) continue
      if (deadline.at > now) this.#arm(deadline.at, now)
      else {
        this.#deadlines[name] = undefined
        if (deadline.applies?.() !== false) return this.#end(new DeadlineExceededError(name, deadline.timeoutMs))
      }
    }
  }

  readonly #onCallerAbort = () => this.#end(new AbortedError("The call", this.#caller))

  #end(error: AbortedError | DeadlineExceededError): void {
    if (this.error !== undefined) return
    this.error = error
    this.#leave?.(error)
    this.#controller.abort(error)
  }
}

const NAMES: readonly DeadlineName[] = ["total", "connect", "first-content", "idle"]
