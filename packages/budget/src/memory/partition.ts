import type { Millis, Name } from "../store/budget-store"
import type { AdjustmentRecord, CounterRecord, ReservationRecord } from "../store/transition"

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
   * Holds each lease from its reserve until its original end. An extended lease is then added again; a settled one is
   * removed.
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

/** Something that happens to a key at a time. */
export interface Timed {
  readonly at: Millis
  readonly key: Name
}

/** A binary heap in the order of (at, key). Adding an item, and removing the first, takes O(log n). */
export class TimeHeap<Item extends Timed> {
  readonly #items: Item[] = []

  first(): Item | undefined {
    return this.#items[0]
  }

  push(item: Item): void {
    const items = this.#items
    let index = items.push(item) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!isBefore(item, items[parent]!)) break
      items[index] = items[parent]!
      index = parent
    }
    items[index] = item
  }

  /** Removes the first item. */
  pop(): Item | undefined {
    const items = this.#items
    const first = items[0]
    const last = items.pop()
    if (last === undefined || items.length === 0) return first
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= items.length) break
      if (child + 1 < items.length && isBefore(items[child + 1]!, items[child]!)) child++
      if (!isBefore(items[child]!, last)) break
      items[index] = items[child]!
      index = child
    }
    items[index] = last
    return first
  }
}

function isBefore(a: Timed, b: Timed): boolean {
  return a.at < b.at || (a.at === b.at && a.key < b.key)
}
