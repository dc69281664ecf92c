import type { CostSource } from "@p2/core"
import type { Amount } from "../limits/amount"
import type { Subject } from "../limits/subject"
import { boundedEntry } from "./bounded-entry"
import type { UsageEntry } from "./entry"

/** How the entry of an attempt ends, where the caller's part does not say otherwise. */
interface AttemptEnd {
  status: UsageEntry["status"]
  /** Undefined: the call's limits count no dollars, so the caller's part decides. */
  costNanoUsd: number | undefined
  costSource: CostSource
}

/**
 * What is known of an attempt before it is sent, as a whole entry.
 * @throws InvalidArgumentError
 */
export function attemptEntry(
  subject: Subject,
  attempt: { idempotencyKey: string; amount: Amount; fingerprint: string; entry: Partial<UsageEntry> },
): UsageEntry {
  const { requestId = attempt.idempotencyKey, userId, clientId, tags, model = "unknown" } = subject
  const own = { requestId, userId, clientId, model, ...(tags !== undefined && { tags: { ...tags } }) }
  return {
    ...boundedEntry(own, "subject"),
    attempt: 1,
    status: "succeeded",
    tokens: {},
    reservedNanoUsd: attempt.amount.nanoUsd ?? 0,
    costNanoUsd: 0,
    costSource: "none",
    ...boundedEntry(attempt.entry, "entry"),
    ...reservedOf(attempt.amount),
    fingerprint: attempt.fingerprint,
  }
}

/** The entry of an attempt whose lease ended: what `onExpire` charges. */
export function expiredEntry(attempt: UsageEntry, onExpire: Amount): UsageEntry {
  const costNanoUsd = onExpire.nanoUsd ?? 0
  return { ...attempt, status: "expired", costNanoUsd, costSource: costNanoUsd === 0 ? "none" : "bound" }
}

/** The entry of an attempt that ended: the caller's part over what the reserve knew. The money is that of the counters. */
export function endedEntry(
  attempt: UsageEntry,
  amount: Amount,
  end: AttemptEnd,
  entry: Partial<UsageEntry>,
): UsageEntry {
  const { costNanoUsd, ...defaults } = end
  return {
    ...attempt,
    ...defaults,
    ...boundedEntry(entry, "entry"),
    ...reservedOf(amount),
    ...(costNanoUsd !== undefined && { costNanoUsd }),
    ...(attempt.fingerprint !== undefined && { fingerprint: attempt.fingerprint }),
  }
}

function reservedOf({ nanoUsd }: Amount): { reservedNanoUsd?: number } {
  return nanoUsd === undefined ? {} : { reservedNanoUsd: nanoUsd }
}
