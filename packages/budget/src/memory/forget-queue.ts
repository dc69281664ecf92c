import { CLOCK_MARGIN_MS } from "../store/clock-margin"
import type { Millis, Name } from "../store/name"
import { type Timed, TimeHeap } from "./time-heap"

/** Most that one step of the clock counts. */
const MAX_STEP_MS = 10_000

/** A record that will be forgotten, by partition, kind and key. */
export interface Forgettable {
  readonly partition: Name
  readonly kind: "reservation" | "counter" | "adjustment"
  readonly key: Name
}

/**
 * Which records to look at, because they may have to be deleted. It measures elapsed time by the steps of the clock and
 * counts at most ten seconds a step, so that a clock that jumps ahead and back deletes nothing that is still needed. Only
 * what is further than the margin counts in full.
 */
export class ForgetQueue {
  readonly #heap = new TimeHeap<Forgettable & Timed>()
  #elapsedMs = 0
  #clock: Millis | undefined

  advance(clock: Millis): void {
    const step = clock - (this.#clock ?? clock)
    this.#clock = clock
    if (step > 0) this.#elapsedMs += step > CLOCK_MARGIN_MS ? step : Math.min(step, MAX_STEP_MS)
  }

  /** A record is in the queue once. */
  add(kind: Forgettable["kind"], { partition, key }: { partition: Name; key: Name }, inMs: number): void {
    this.#heap.push({ partition, kind, key, at: this.#elapsedMs + inMs })
  }

  /** The next record whose time is over; the caller deletes it, or adds it again. */
  take(): Forgettable | undefined {
    const first = this.#heap.first()
    return first === undefined || first.at > this.#elapsedMs ? undefined : this.#heap.pop()
  }
}
