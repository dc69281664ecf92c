import type { Name } from "./name"
import type { RecordView } from "./record-view"
import type { RecordKind } from "./storage"

/** A call on a storage: the keys that it reads, and what it does with them. */
export interface StorageJob<Reply = unknown> {
  reads: Partial<Record<RecordKind, readonly Name[]>>
  /** Whether the reply says that leases are due. */
  needsDue?: boolean
  run(view: RecordView): Reply
}

/** Runs a job in the next transaction of its partition. */
export type RunJob = <Reply>(partition: Name, job: StorageJob<Reply>) => Promise<Reply>
