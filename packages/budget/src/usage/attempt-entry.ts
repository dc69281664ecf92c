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
  const { userId, clientId, tags, model = "unknown", requestId = attempt.idempotencyKey } = subject
  const known: UsageEntry = {
    requestId,
    attempt: 1,
    userId,
    clientId,
    tags: tags && { ...tags },
    model,
    status: "succeeded",
    reservedNanoUsd: 0,
    costNanoUsd: 0,
    costSource: "none",
    tokens: {},
  }
  const whole = Object.assign(boundedEntry(known, "subject"), boundedEntry(attempt.entry, "entry"))
  if (attempt.amount.nanoUsd !== undefined) whole.reservedNanoUsd = attempt.amount.nanoUsd
  whole.fingerprint = attempt.fingerprint
  return whole
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
  const { status, costSource, costNanoUsd } = end
  const whole = Object.assign({}, attempt, { status, costSource }, boundedEntry(entry, "entry"))
  if (amount.nanoUsd !== undefined) whole.reservedNanoUsd = amount.nanoUsd
  if (costNanoUsd !== undefined) whole.costNanoUsd = costNanoUsd
  whole.fingerprint = attempt.fingerprint
  return whole
}
