import type { Millis, Name } from "../store/budget-store"
import type { AdjustmentRecord, CounterRecord, ReservationRecord } from "../store/transition"
import { type Timed, TimeHeap } from "./time-heap"

export type RecordKind = "reservations" | "counters" | "adjustments"

/** The records of one partition in the memory store, except usage entries. */
export class Partition {
  readonly name: Name
  readonly reservations = new Map<Name, ReservationRecord>()
  readonly counters = new Map<Name, CounterRecord>()
  readonly adjustments = new Map<Name, AdjustmentRecord>()
  /** The latest time that a write has seen. */
  time: Millis | undefined
  /**
   * Holds a lease from its reserve until its first end. An extended lease is then added again; a settled one is removed.
   */
  readonly #leases = new TimeHeap<Timed>()

  constructor(name: Name) {
    this.name = name
  }

  get isEmpty(): boolean {
    return this.reservations.size + this.counters.size + this.adjustments.size === 0
  }

  addLease(key: Name, leaseEnd: Millis): void {
    this.#leases.push({ key, at: leaseEnd })
  }

  hasDue(clock: Millis): boolean {
    return this.#firstDue(clock) !== undefined
  }

  /** Keys of held reservations whose lease has ended, oldest first. */
  dueKeys(clock: Millis, limit: number): Name[] {
    const due = new Set<Name>()
    for (let first = this.#firstDue(clock); first !== undefined && due.size < limit; first = this.#firstDue(clock)) {
      due.add(first.key)
      this.#leases.pop()
    }
    for (const key of due) this.addLease(key, this.reservations.get(key)!.leaseEnd)
    return [...due]
  }

  #firstDue(clock: Millis): Timed | undefined {
    for (;;) {
      const first = this.#leases.first()
      if (first === undefined || first.at > clock) return undefined
      const reservation = this.reservations.get(first.key)
      const isHeld = reservation?.state === "held"
      if (isHeld && reservation.leaseEnd === first.at) return first
      this.#leases.pop()
      if (isHeld && reservation.leaseEnd > first.at) this.addLease(first.key, reservation.leaseEnd)
    }
  }
}
