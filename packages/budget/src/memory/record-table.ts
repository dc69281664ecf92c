import type { UsageDraft } from "../ledger"
import type { Final, Millis, Name } from "../store"
import { CellLines } from "./cell-lines"
import { grown, IdTable, NONE } from "./id-table"
import type { MemoryRoot } from "./memory-root"

export const HELD = 0
export const COMMITTED = 1
export const RELEASED = 2
export const EXPIRED = 3
/** No longer found under its id, which another record has taken; leaves when its time is over. */
const REPLACED = 4
const FINALS: readonly Final[] = ["committed", "committed", "released", "expired"]

/** What is kept of each id, field by field under the number of its slot, so that no object is made or collected for it. */
export class RecordTable {
  readonly ids = new IdTable()
  readonly lines = new CellLines()
  states = new Uint8Array(this.ids.capacity)
  leaseEnds = new Float64Array(this.ids.capacity)
  /** Infinity while it is open. */
  forgottenFrom = new Float64Array(this.ids.capacity)
  revisions = new Float64Array(this.ids.capacity)
  /** Where it is in its root's heap of leases, or {@link NONE}. */
  heapIndexes = new Int32Array(this.ids.capacity)
  /** Its first line, in the order of the call. */
  firstLines = new Int32Array(this.ids.capacity)
  readonly fingerprints: string[] = []
  readonly drafts: (UsageDraft | undefined)[] = []
  /** Records that are found under their id. */
  count = 0

  /** A held record; what stands under its id is over, and gives its place up. */
  add(root: MemoryRoot, id: Name, hash: number, replaced: number): number {
    if (replaced !== NONE) this.#replace(replaced)
    const slot = this.ids.add(root, id, hash)
    if (slot >= this.states.length) this.#grow()
    this.states[slot] = HELD
    this.forgottenFrom[slot] = Number.POSITIVE_INFINITY
    this.revisions[slot] = 0
    this.heapIndexes[slot] = NONE
    this.firstLines[slot] = NONE
    root.records++
    this.count++
    return slot
  }

  remove(slot: number): void {
    if (this.states[slot] !== REPLACED) this.#replace(slot)
    this.lines.free(this.firstLines[slot]!)
    this.fingerprints[slot] = ""
    this.drafts[slot] = undefined
    this.ids.free(slot)
  }

  finalOf(slot: number): Final {
    return FINALS[this.states[slot]!]!
  }

  isAlive(slot: number, now: Millis): boolean {
    return this.forgottenFrom[slot]! > now
  }

  #replace(slot: number): void {
    this.ids.hide(slot)
    this.states[slot] = REPLACED
    this.ids.rootOf(slot).records--
    this.count--
  }

  #grow(): void {
    const size = this.ids.capacity
    this.states = grown(this.states, new Uint8Array(size))
    this.leaseEnds = grown(this.leaseEnds, new Float64Array(size))
    this.forgottenFrom = grown(this.forgottenFrom, new Float64Array(size))
    this.revisions = grown(this.revisions, new Float64Array(size))
    this.heapIndexes = grown(this.heapIndexes, new Int32Array(size))
    this.firstLines = grown(this.firstLines, new Int32Array(size))
  }
}
