import type { CostSource } from "@p2/core"
import type { Amount } from "../limits/amount"
import type { Subject } from "../limits/subject"
import { boundedEntry } from "./bounded-entry"
import type { UsageEntry } from "./entry"

/** Fields of the entry of an attempt that ended. The caller's part of the entry may replace `status` and `costSource`. */
interface AttemptEnd {
  status: UsageEntry["status"]
  /** Undefined: no limit of the call counts dollars, so the caller's part decides. */
  costNanoUsd: number | undefined
  costSource: CostSource
  inDoubt?: true
}

/**
 * A complete usage entry with everything that is known of an attempt before it is sent.
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
  // Only the end of an attempt decides this.
  delete whole.inDoubt
  return whole
}

/** The entry of an attempt whose lease ended, with the charge of `onExpire`. */
export function expiredEntry(attempt: UsageEntry, amount: Amount, onExpire: Amount): UsageEntry {
  const costNanoUsd = onExpire.nanoUsd ?? 0
  // An amount that the user chose is no upper bound.
  const isBound = costNanoUsd > 0 && costNanoUsd === amount.nanoUsd
  const costSource = costNanoUsd === 0 ? "none" : isBound ? "bound" : "custom"
  return { ...attempt, status: "expired", costNanoUsd, costSource, ...(isBound && { inDoubt: true }) }
}

/** The entry of an attempt that ended. The caller's part replaces fields of `attempt`; the money is what the counters are charged. */
export function endedEntry(
  attempt: UsageEntry,
  amount: Amount,
  end: AttemptEnd,
  entry: Partial<UsageEntry>,
): UsageEntry {
  const { costNanoUsd, ...outcome } = end
  const whole = Object.assign({}, attempt, outcome, boundedEntry(entry, "entry"))
  if (amount.nanoUsd !== undefined) whole.reservedNanoUsd = amount.nanoUsd
  if (costNanoUsd !== undefined) whole.costNanoUsd = costNanoUsd
  whole.fingerprint = attempt.fingerprint
  return whole
}
