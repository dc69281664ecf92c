import type { Fault } from "../faults"

type Fields = Record<string, unknown>

/** A batch, whose calls run when it ends. */
export interface StoredBatch {
  id: string
  request: Fields
  status: string
  pollsLeft: number
  fault: Fault
  outputFileId?: string
  completed: number
  failed: number
}
