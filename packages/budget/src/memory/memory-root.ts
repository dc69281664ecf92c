import type { Millis, Name } from "../store"
import { LeaseHeap } from "./lease-heap"
import type { RecordTable } from "./record-table"

/** Something that leaves the memory by itself. `forgetAt` is null while it must stay. */
export interface Forgettable {
  forgetAt(retentionMs: number): Millis | null
  readonly root: MemoryRoot
  /** Takes it out of its map, unless another has its place. */
  forget(): boolean
}

export class MemoryCell implements Forgettable {
  spent = 0
  reserved = 0
  granted = 0
  peak = 0
  touchedAt = 0
  /** Whether the queue knows it. */
  queued = false
  /** No longer in its root: a record that still names it has to make it anew. */
  gone = false

  constructor(
    readonly root: MemoryRoot,
    readonly key: Name,
    readonly endsAt: Millis | null,
    public keepMs: number | null,
  ) {}

  forgetAt(retentionMs: number): Millis | null {
    if (this.reserved !== 0) return null
    if (this.endsAt !== null) return this.endsAt + retentionMs
    return this.keepMs === null ? null : this.touchedAt + this.keepMs
  }

  forget(): boolean {
    this.gone = true
    return this.root.cells.get(this.key) === this && this.root.cells.delete(this.key)
  }
}

export class Adjustment implements Forgettable {
  constructor(
    readonly root: MemoryRoot,
    readonly id: Name,
    readonly content: string,
    readonly applied: number,
    readonly forgottenFrom: Millis,
  ) {}

  forgetAt(): Millis {
    return this.forgottenFrom
  }

  forget(): boolean {
    return this.root.adjustments.get(this.id) === this && this.root.adjustments.delete(this.id)
  }
}

/** Everything that one root holds, usage entries left out. */
export class MemoryRoot {
  readonly cells = new Map<Name, MemoryCell>()
  readonly adjustments = new Map<Name, Adjustment>()
  readonly leases: LeaseHeap
  /** How many records the table has of it. */
  records = 0

  constructor(
    readonly name: Name,
    records: RecordTable,
    /** Spreads the same id of different roots. */
    readonly seed: number,
  ) {
    this.leases = new LeaseHeap(records)
  }

  get isEmpty(): boolean {
    return this.records + this.cells.size + this.adjustments.size === 0
  }
}
