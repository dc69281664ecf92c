import type { UsageDraft } from "../ledger"
import type { Final, Millis, Name, Nat } from "../store"
import { LeaseHeap } from "./lease-heap"

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
    return this.root.cells.get(this.key) === this && this.root.cells.delete(this.key)
  }
}

export class IdRecord implements Forgettable {
  state: "held" | Final = "held"
  heapIndex = -1
  /** What each cell is charged under this id now. */
  charged: readonly number[] | null = null
  revision = 0
  forgottenFrom: Millis | null = null
  /** No longer in its root. */
  gone = false

  constructor(
    readonly root: MemoryRoot,
    readonly id: Name,
    readonly fingerprint: string,
    /** In the order of the call; by their keys, since a cell may leave before the record does. */
    readonly cells: readonly MemoryCell[],
    readonly amounts: readonly Nat[],
    readonly onExpire: readonly Nat[],
    public leaseEnd: Millis,
    public draft: UsageDraft | undefined,
  ) {}

  forgetAt(): Millis | null {
    return this.forgottenFrom
  }

  forget(): boolean {
    if (this.gone) return false
    this.gone = true
    return this.root.records.delete(this.id)
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
  readonly records = new Map<Name, IdRecord>()
  readonly adjustments = new Map<Name, Adjustment>()
  readonly leases = new LeaseHeap()

  constructor(readonly name: Name) {}
}
