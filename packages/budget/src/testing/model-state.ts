import type { StoredEntry, UsageDraft } from "../ledger"
import type { Final, Millis, Name, ReserveCell } from "../store"

export interface ModelCell {
  spent: number
  reserved: number
  granted: number
  peak: number
  endsAt: Millis | null
  keepMs: number | null
  touchedAt: Millis
}

export interface ModelRecord {
  state: "held" | Final
  fingerprint: string
  cells: ReserveCell[]
  leaseEnd: Millis
  /** What each cell is charged under this id now. */
  charged: number[]
  revision: number
  draft: UsageDraft | undefined
  /** Null while held: an open id is never forgotten. */
  forgetAt: Millis | null
}

export interface ModelAdjustment {
  content: string
  applied: number
  forgetAt: Millis
}

/** Everything that one root holds. Plain data, so that a copy of it is a restart. */
export interface ModelRoot {
  cells: Map<Name, ModelCell>
  records: Map<Name, ModelRecord>
  adjustments: Map<Name, ModelAdjustment>
  entries: Map<Name, StoredEntry>
  writes: number
}

export function emptyRoot(): ModelRoot {
  return { cells: new Map(), records: new Map(), adjustments: new Map(), entries: new Map(), writes: 0 }
}

export type ModelState = Map<Name, ModelRoot>
