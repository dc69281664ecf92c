import type { IdRecord } from "./memory-root"

/**
 * Held records in order of (end of lease, id), with removal from the middle: an operation is O(log n), and a lease that
 * is settled leaves nothing behind.
 */
export class LeaseHeap {
  readonly #items: IdRecord[] = []

  first(): IdRecord | undefined {
    return this.#items[0]
  }

  add(record: IdRecord): void {
    record.heapIndex = this.#items.length
    this.#items.push(record)
    this.#up(record.heapIndex)
  }

  remove(record: IdRecord): void {
    const index = record.heapIndex
    if (index < 0) return
    const last = this.#items.pop()!
    record.heapIndex = -1
    if (last === record) return
    this.#items[index] = last
    last.heapIndex = index
    this.#up(index)
    this.#down(last.heapIndex)
  }

  /** After the end of a lease moved later. */
  moved(record: IdRecord): void {
    this.#down(record.heapIndex)
  }

  /** How many leases ended at or before `now`; visits only those. */
  countDue(now: number): number {
    let count = 0
    const open = [0]
    while (open.length > 0) {
      const index = open.pop()!
      const record = this.#items[index]
      if (record === undefined || record.leaseEnd > now) continue
      count++
      open.push(2 * index + 1, 2 * index + 2)
    }
    return count
  }

  #up(start: number): void {
    const record = this.#items[start]!
    let index = start
    while (index > 0) {
      const parent = (index - 1) >> 1
      const above = this.#items[parent]!
      if (!isBefore(record, above)) break
      this.#items[index] = above
      above.heapIndex = index
      index = parent
    }
    this.#items[index] = record
    record.heapIndex = index
  }

  #down(start: number): void {
    const items = this.#items
    const record = items[start]!
    let index = start
    for (;;) {
      let child = 2 * index + 1
      if (child >= items.length) break
      if (child + 1 < items.length && isBefore(items[child + 1]!, items[child]!)) child++
      const below = items[child]!
      if (!isBefore(below, record)) break
      items[index] = below
      below.heapIndex = index
      index = child
    }
    items[index] = record
    record.heapIndex = index
  }
}

function isBefore(a: IdRecord, b: IdRecord): boolean {
  return a.leaseEnd < b.leaseEnd || (a.leaseEnd === b.leaseEnd && a.id < b.id)
}
