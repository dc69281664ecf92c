import { LruMap } from "@p2/core"
import type { Rejection } from "../../protocols/protocol"
import type { BatchBound } from "../../protocols/variants/batch-price"

/** The upper bound of a file. */
export interface FileBound extends BatchBound {
  /** The path of every call; undefined: the file has none. */
  endpoint: string | undefined
}

/** The bounds of the files that a guard uploaded, by host and id. */
export type BatchFiles = LruMap<string, FileBound | Rejection>

export function createBatchFiles(): BatchFiles {
  return new LruMap(1_000)
}
