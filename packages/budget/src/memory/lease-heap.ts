import { NONE } from "./id-table"
import type { RecordTable } from "./record-table"

/**
 * Held records in order of (end of lease, id), with removal from the middle: an operation is O(log n), and a lease that
 * is settled leaves nothing behind.
 */
export class LeaseHeap {
  readonly #items: number[] = []
  readonly #records: RecordTable

  constructor(records: RecordTable) {
    this.#records = records
  }

  /** The record whose lease ends first, if it ended by now; otherwise {@link NONE}. */
  firstDue(now: number): number {
    const items = this.#items
    return items.length > 0 && this.#records.leaseEnds[items[0]!]! <= now ? items[0]! : NONE
  }

  add(record: number): void {
    this.#items.push(record)
    this.#up(this.#items.length - 1)
  }

  remove(record: number): void {
    const { heapIndexes } = this.#records
    const index = heapIndexes[record]!
    if (index === NONE) return
    const last = this.#items.pop()!
    heapIndexes[record] = NONE
    if (last === record) return
    this.#items[index] = last
    this.#up(index)
    this.#down(heapIndexes[last]!)
  }

  /** After the end of a lease moved later. */
  moved(record: number): void {
    this.#down(this.#records.heapIndexes[record]!)
  }

  /** How many leases ended at or before `now`; visits only those. */
  countDue(now: number): number {
    let count = 0
    const open = [0]
    while (open.length > 0) {
      const index = open.pop()!
      const record = this.#items[index]
      if (record === undefined || this.#records.leaseEnds[record]! > now) continue
      count++
      open.push(2 * index + 1, 2 * index + 2)
    }
    return count
  }

  #up(start: number): void {
    const items = this.#items
    const record = items[start]!
    let index = start
    while (index > 0) {
      const parent = (index - 1) >> 1
      const above = items[parent]!
      if (!this.#isBefore(record, above)) break
      this.#put(above, index)
      index = parent
    }
    this.#put(record, index)
  }

  #down(start: number): void {
    const items = this.#items
    const record = items[start]!
    let index = start
    for (;;) {
      let child = 2 * index + 1
      if (child >= items.length) break
      if (child + 1 < items.length && this.#isBefore(items[child + 1]!, items[child]!)) child++
      const below = items[child]!
      if (!this.#isBefore(below, record)) break
      this.#put(below, index)
      index = child
    }
    this.#put(record, index)
  }

  #put(record: number, index: number): void {
    this.#items[index] = record
    this.#records.heapIndexes[record] = index
  }

  #isBefore(a: number, b: number): boolean {
    const { leaseEnds, ids } = this.#records
    const [endA, endB] = [leaseEnds[a]!, leaseEnds[b]!]
    return endA < endB || (endA === endB && ids.compare(a, b) < 0)
  }
}
