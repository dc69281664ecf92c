import type { UsageEntry } from "../../src/store"

/** A small usage entry. */
export const entryOf = (more: Partial<UsageEntry> = {}): UsageEntry => ({
  requestId: "r",
  attempt: 1,
  model: "m",
  status: "succeeded",
  reservedNanoUsd: 10,
  costNanoUsd: 7,
  costSource: "table",
  tokens: {},
  ...more,
})
