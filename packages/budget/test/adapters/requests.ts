import type { ReserveRequest, SettleRequest, UsageEntry } from "../../src/store"

export const counter = { name: "a", startsAt: null, endsAt: null, keepMs: null }

/** An entry of one attempt. */
export function entryOf(requestId: string, more: Partial<UsageEntry> = {}): UsageEntry {
  return {
    requestId,
    attempt: 1,
    model: "m",
    status: "succeeded",
    reservedNanoUsd: 1,
    costNanoUsd: 1,
    costSource: "table",
    tokens: {},
    ...more,
  }
}

/** A reserve of `amount` in the counter `a`. */
export function reserveOf(key: string, amount = 1, limit: number | null = null): ReserveRequest {
  return {
    partition: "main",
    key,
    fingerprint: `f${amount}`,
    leaseMs: 60_000,
    counters: [{ ...counter, amount, limit, onExpire: amount }],
    pendingEntry: entryOf(key, { status: "expired", costSource: "bound" }),
  }
}

/** The settle of such a reserve, at its full amount. */
export function settleOf(key: string, entry: UsageEntry = entryOf(key)): SettleRequest {
  return {
    partition: "main",
    key,
    fingerprint: "f1",
    outcome: "settled",
    revision: 0,
    counters: [{ ...counter, reserved: 1, amount: 1 }],
    expiresAt: null,
    entry,
  }
}
