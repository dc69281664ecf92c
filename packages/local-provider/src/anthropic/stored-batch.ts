import type { Fault } from "../faults"

type Fields = Record<string, unknown>

/** A message batch, whose calls run when it ends. */
export interface StoredMessageBatch {
  id: string
  requests: Fields[]
  status: "in_progress" | "canceling" | "ended"
  pollsLeft: number
  fault: Fault
  results: Fields[]
}
