import type { UsageEntry } from "../../src/store"
import { entryOf as attemptOf } from "../adapters/requests"

/** An entry of one attempt that reserved 10 and cost 7. */
export const entryOf = (more: Partial<UsageEntry> = {}): UsageEntry =>
  attemptOf("r", { reservedNanoUsd: 10, costNanoUsd: 7, ...more })
