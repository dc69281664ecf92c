import { CLOCK_MARGIN_MS } from "../store/clock-margin"
import type { Millis, Name } from "../store/name"

/** Maximum elapsed time that one step of the clock counts. */
const MAX_STEP_MS = 10_000
const SLOT_MS = 1_000

/** A record that will be forgotten, by partition, kind and key. */
export interface Forgettable {
  readonly partition: Name
  readonly kind: "reservation" | "counter" | "adjustment"
  readonly key: Name
}

/**
 * Records that may have to be deleted, in slots of a second. Measures elapsed time by the steps of the clock, and counts at
 * most ten seconds per step, so that a clock that jumps ahead and back deletes nothing that is still needed. Only a step
 * beyond the margin counts in full.
 */
export class ForgetQueue {
  readonly #slots = new Map<number, Forgettable[]>()
  /** No slot before it has records. */
  #firstSlot = 0
  #elapsedMs = 0
  #clock: Millis | undefined

  advance(clock: Millis): void {
    const step = clock - (this.#clock ?? clock)
    this.#clock = clock
    if (step > 0) this.#elapsedMs += step > CLOCK_MARGIN_MS ? step : Math.min(step, MAX_STEP_MS)
  }

  /** A record is in the queue once. */
  add(record: Forgettable, inMs: number): void {
    const slot = Math.ceil((this.#elapsedMs + inMs) / SLOT_MS)
    const records = this.#slots.get(slot)
    if (records === undefined) this.#slots.set(slot, [record])
    else records.push(record)
  }

  /** A record whose time is over; the caller deletes it, or adds it again. */
  take(): Forgettable | undefined {
    while (this.#firstSlot * SLOT_MS <= this.#elapsedMs) {
      const record = this.#slots.get(this.#firstSlot)?.pop()
      if (record !== undefined) return record
      this.#slots.delete(this.#firstSlot)
      this.#firstSlot++
    }
    return undefined
  }
}
