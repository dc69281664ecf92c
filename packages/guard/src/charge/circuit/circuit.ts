/** How long a success proves that the provider answers. */
const PROOF_MS = 60_000

/**
 * What this process knows of one provider and model. A call that is sent while the provider is proven to answer does not
 * touch the counters in the store.
 */
export class Circuit {
  readonly #now: () => number
  #provenUntil = Number.NEGATIVE_INFINITY
  #failedAt = Number.NEGATIVE_INFINITY
  #failures = 0
  readonly #waiting = new Set<() => void>()

  /** @param now milliseconds of a clock that never runs backwards */
  constructor(now: () => number) {
    this.#now = now
  }

  get isProven(): boolean {
    return this.#now() < this.#provenUntil
  }

  /** The number of failures in doubt so far. A success proves nothing if a failure came after its call was sent. */
  get failures(): number {
    return this.#failures
  }

  succeed(): void {
    this.#provenUntil = this.#now() + PROOF_MS
    this.wake()
  }

  /** Takes the success of another process as proof, unless a call of this process failed in the last minute. */
  trustOthers(): boolean {
    if (this.#now() < this.#failedAt + PROOF_MS) return false
    this.succeed()
    return true
  }

  fail(): void {
    this.#failures++
    this.#failedAt = this.#now()
    this.#provenUntil = Number.NEGATIVE_INFINITY
  }

  /** Ends the waits of {@link change}. */
  wake(): void {
    for (const resolve of this.#waiting) resolve()
  }

  /** Waits until a call of this process has ended, at most `timeoutMs`, or until the signal fires. */
  async change(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    let resolve = () => {}
    const changed = new Promise<void>((done) => {
      resolve = done
    })
    const timer = setTimeout(resolve, timeoutMs)
    this.#waiting.add(resolve)
    signal?.addEventListener("abort", resolve, { once: true })
    if (signal?.aborted) resolve()
    await changed
    clearTimeout(timer)
    this.#waiting.delete(resolve)
    signal?.removeEventListener("abort", resolve)
  }
}
