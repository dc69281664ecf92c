/** A call that waits for its answer. */
export interface PendingCall {
  deadline: number
  done: boolean
  expire(): void
}

/** How often deadlines are looked at: an answer may be missed that much later than its timeout. */
const STEP_MS = 10
/** How many finished calls are kept before their places are given back. */
const COMPACT = 1_024

const DONE: PendingCall = { deadline: 0, done: true, expire: () => {} }

/**
 * Ends calls at their deadline. All of them wait equally long and are answered in order, so that one queue and one timer
 * serve them all, where a timer for each would cost more than the rest of the call.
 */
export class Deadlines {
  #queue: PendingCall[] = []
  #head = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  /** How many calls wait for their answer. */
  get waiting(): number {
    return this.#queue.length - this.#head
  }

  add(call: PendingCall): void {
    this.#skipDone()
    this.#queue.push(call)
    if (this.#timer === undefined) this.#look(performance.now())
  }

  #skipDone(): void {
    // What is done is let go of at once, so that its answer does not grow old in memory.
    while (this.#head < this.#queue.length && this.#queue[this.#head]!.done) this.#queue[this.#head++] = DONE
    if (this.#head >= COMPACT) {
      this.#queue.splice(0, this.#head)
      this.#head = 0
    }
  }

  #look(now: number): void {
    this.#timer = undefined
    this.#skipDone()
    for (let index = this.#head; index < this.#queue.length; index++) {
      const call = this.#queue[index]!
      if (call.deadline > now) break
      if (call.done) continue
      call.done = true
      call.expire()
    }
    this.#skipDone()
    const first = this.#queue[this.#head]
    if (first === undefined) return
    this.#timer = setTimeout(() => this.#look(performance.now()), Math.max(STEP_MS, first.deadline - now))
    // The connection keeps the process alive while something is waited for; this timer outlives the answers.
    this.#timer.unref()
  }
}
