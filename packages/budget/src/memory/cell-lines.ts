import { grown, NONE } from "./id-table"
import type { MemoryCell } from "./memory-root"

const LEAST_LINES = 512

/** The cells of every record, one line each, in lists: which cell, how much, and how much if the owner vanishes. */
export class CellLines {
  /** By its key, since a cell may leave before the record does. */
  readonly cells: (MemoryCell | undefined)[] = []
  /** What is reserved while the record is held, and what is charged afterwards. */
  amounts = new Float64Array(LEAST_LINES)
  onExpire = new Float64Array(LEAST_LINES)
  /** The line after this one, or {@link NONE}. */
  next = new Int32Array(LEAST_LINES)
  #free = NONE
  #used = 0

  /** Writes a line before others, of which it becomes the first. */
  before(next: number, cell: MemoryCell, amount: number, onExpire: number): number {
    const line = this.#take()
    this.cells[line] = cell
    this.amounts[line] = amount
    this.onExpire[line] = onExpire
    this.next[line] = next
    return line
  }

  /** Gives a list of lines back. */
  free(first: number): void {
    for (let line = first; line !== NONE; ) {
      const next = this.next[line]!
      this.cells[line] = undefined
      this.next[line] = this.#free
      this.#free = line
      line = next
    }
  }

  #take(): number {
    const line = this.#free
    if (line === NONE) {
      if (this.#used === this.next.length) this.#grow()
      return this.#used++
    }
    this.#free = this.next[line]!
    return line
  }

  #grow(): void {
    const size = 2 * this.next.length
    this.amounts = grown(this.amounts, new Float64Array(size))
    this.onExpire = grown(this.onExpire, new Float64Array(size))
    this.next = grown(this.next, new Int32Array(size))
  }
}
