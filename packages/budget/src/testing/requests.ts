import type { AdjustRequest, CounterRef, ReserveCounter, ReserveRequest, SettleRequest } from "../store/budget-store"
import type { UsageEntry } from "../usage/entry"
import { canonical } from "./expect"

/** Long enough that no lease ends during a case on real time. */
export const LEASE_MS = 60_000
export const DAY_MS = 86_400_000
export const LARGEST = Number.MAX_SAFE_INTEGER

/** A counter without a window unless `more` says otherwise; charged in full if its lease ends. */
export function counter(
  name: string,
  amount: number,
  limit: number | null = null,
  more: Partial<ReserveCounter> = {},
): ReserveCounter {
  return { name, startsAt: null, endsAt: null, keepMs: null, amount, limit, onExpire: amount, ...more }
}

/** Computed as by the budget: from the amounts, without windows and limits; at most 64 bytes. */
export function fingerprintOf(counters: readonly ReserveCounter[]): string {
  const content = canonical(counters.map(({ name, amount, onExpire }) => [name, amount, onExpire]))
  let hash = 0xcbf29ce484222325n
  for (let index = 0; index < content.length; index++) {
    hash = ((hash ^ BigInt(content.charCodeAt(index))) * 0x100000001b3n) & 0xffffffffffffffffn
  }
  return hash.toString(36)
}

/** A complete usage entry. */
export function usageEntry(requestId: string, costNanoUsd: number, more: Partial<UsageEntry> = {}): UsageEntry {
  return {
    requestId,
    attempt: 1,
    clientId: "client-1",
    userId: "user-1",
    model: "openai/gpt-4o-mini",
    provider: "openai",
    status: "succeeded",
    reservedNanoUsd: costNanoUsd,
    costNanoUsd,
    costSource: "table",
    tokens: { inputTokens: 10, outputTokens: 5 },
    ...more,
  }
}

/** The entry that is written if the lease ends without a settle. */
export function pendingEntry(requestId: string, costNanoUsd: number, more: Partial<UsageEntry> = {}): UsageEntry {
  return usageEntry(requestId, costNanoUsd, {
    status: "expired",
    costSource: "bound",
    inDoubt: true,
    tokens: {},
    ...more,
  })
}

export function reserveRequest(
  partition: string,
  key: string,
  counters: ReserveCounter[],
  more: Partial<ReserveRequest> = {},
): ReserveRequest {
  const onExpire = counters[0]?.onExpire ?? 0
  return {
    partition,
    key,
    fingerprint: fingerprintOf(counters),
    counters,
    leaseMs: LEASE_MS,
    pendingEntry: pendingEntry(key, onExpire, { reservedNanoUsd: counters[0]?.amount ?? 0 }),
    ...more,
  }
}

/** The settle of a reservation: `amounts` in the order of its counters; a release charges nothing. */
export function settleRequest(
  reserved: ReserveRequest,
  amounts: readonly number[],
  more: Partial<SettleRequest> = {},
): SettleRequest {
  const { partition, key, fingerprint, pendingEntry: pending } = reserved
  const outcome = more.outcome ?? "settled"
  const released = outcome === "released"
  const counters = reserved.counters.map(({ name, startsAt, endsAt, keepMs, amount }, index) => ({
    name,
    startsAt,
    endsAt,
    keepMs,
    reserved: amount,
    amount: released ? 0 : (amounts[index] ?? 0),
  }))
  const costNanoUsd = counters[0]?.amount ?? 0
  const entry = usageEntry(pending.requestId, costNanoUsd, {
    reservedNanoUsd: pending.reservedNanoUsd,
    ...(released ? { status: "released", costSource: "none", tokens: {} } : {}),
  })
  return { partition, key, fingerprint, outcome, revision: 0, counters, expiresAt: null, entry, ...more }
}

export function adjustRequest(
  partition: string,
  key: string,
  name: string,
  kind: AdjustRequest["kind"],
  delta: number,
  more: Partial<CounterRef> = {},
): AdjustRequest {
  return { partition, key, counter: { name, startsAt: null, endsAt: null, keepMs: null, ...more }, kind, delta }
}
