import type { Subject } from "@p2/budget"
import type { BatchPoll } from "../../protocols/protocol"
import type { ReadCall } from "../read-call"

/** A poll and its caller. */
export interface PolledBatch {
  read: Extract<ReadCall, { status: "read" }>
  headers: Headers
  described: BatchPoll
  subject: Subject | undefined
}
