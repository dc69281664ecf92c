import type { FinalState, Millis, Name } from "../store/budget-store"
import type { StoredEntry, UsageEntry } from "../usage/entry"

export interface ModelCounter {
  spent: number
  reserved: number
  granted: number
  peak: number
  /** Infinity: never. It has no effect while something is reserved. */
  forgetAt: Millis
}

/** A counter of a reservation. */
export interface ModelShare {
  name: Name
  startsAt: Millis | null
  endsAt: Millis | null
  keepMs: number | null
  amount: number
  onExpire: number
  /** The current charge under this key. */
  charge: number
}

export interface ModelReservation {
  state: "held" | FinalState
  fingerprint: string
  shares: ModelShare[]
  leaseEnd: Millis
  revision: number
  pendingEntry: UsageEntry | null
  /** Infinity while held. */
  forgetAt: Millis
}

export interface ModelAdjustment {
  content: string
  applied: number
  forgetAt: Millis
}

/** The records of one partition. Plain data, so that a copy of it is a restart. */
export interface ModelPartition {
  counters: Map<Name, ModelCounter>
  /** Null: the record is damaged. */
  reservations: Map<Name, ModelReservation | null>
  /** Ends of the leases of held reservations, those whose record is damaged included. */
  leases: Map<Name, Millis>
  /** Keys of damaged reservations that were set aside. */
  damaged: Set<Name>
  adjustments: Map<Name, ModelAdjustment>
  entries: Map<Name, StoredEntry>
  /** The latest time that was written; null: no write yet. */
  time: Millis | null
  writes: number
}

export type ModelState = Map<Name, ModelPartition>

export function emptyPartition(): ModelPartition {
  return {
    counters: new Map(),
    reservations: new Map(),
    leases: new Map(),
    damaged: new Set(),
    adjustments: new Map(),
    entries: new Map(),
    time: null,
    writes: 0,
  }
}
