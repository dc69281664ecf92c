import type { CostSource } from "@p2/core"
import type { Amount } from "../limits/amount"
import { toRequestName } from "../limits/names"
import type { Subject } from "../limits/subject"
import { boundedIdentity, boundedTags, readEntry, type UsageEntry } from "./entry"

// Entries are built with `Object.assign`: Node 20 is slow at adding fields to a spread object (bench/facade.mjs).

/** The usage entry of an attempt before it is sent. */
export type AttemptEntry = UsageEntry & { fingerprint: string }

/**
 * Creates the entry of an attempt before it is sent. `entry` is the caller's part, as {@link readEntry} returns it.
 * @throws InvalidArgumentError
 */
export function attemptEntry(
  subject: Subject,
  attempt: { idempotencyKey: string; amount: Amount; fingerprint: string; entry: Partial<UsageEntry> },
): AttemptEntry {
  const { idempotencyKey, amount, fingerprint, entry } = attempt
  const { userId, clientId, tags, model = "unknown", requestId = idempotencyKey } = subject
  const whole: AttemptEntry = {
    requestId: toRequestName(requestId, "subject.requestId"),
    attempt: 1,
    model: boundedIdentity(model, "subject.model"),
    status: "succeeded",
    reservedNanoUsd: 0,
    costNanoUsd: 0,
    costSource: "none",
    tokens: {},
    fingerprint,
  }
  if (userId !== undefined) whole.userId = boundedIdentity(userId, "subject.userId")
  if (clientId !== undefined) whole.clientId = boundedIdentity(clientId, "subject.clientId")
  if (tags !== undefined) whole.tags = boundedTags(tags, "subject.tags")
  Object.assign(whole, entry)
  whole.fingerprint = fingerprint
  if (amount.nanoUsd !== undefined) whole.reservedNanoUsd = amount.nanoUsd
  // Only the end of an attempt decides this.
  if (whole.inDoubt !== undefined) delete whole.inDoubt
  return whole
}

/** The entry of an attempt whose lease ended, with the charge of `onExpire`. */
export function expiredEntry(attempt: UsageEntry, amount: Amount, onExpire: Amount): UsageEntry {
  const costNanoUsd = onExpire.nanoUsd ?? 0
  const end = { status: "expired", costNanoUsd } as const
  if (costNanoUsd === 0) return Object.assign({}, attempt, end, { costSource: "none" } as const)
  // An amount that the user chose is not an upper bound.
  if (costNanoUsd !== amount.nanoUsd) return Object.assign({}, attempt, end, { costSource: "custom" } as const)
  return Object.assign({}, attempt, end, { costSource: "bound", inDoubt: true } as const)
}

/** How an attempt ended. The caller's part of the entry may replace `status`, `costSource` and `inDoubt`. */
interface AttemptEnd {
  status: UsageEntry["status"]
  /** Undefined: no limit of the call counts dollars, so the caller's part decides. */
  costNanoUsd: number | undefined
  costSource: CostSource
  /** Whether the charge is the upper bound because the caller does not know the usage. */
  isBound?: boolean
}

/**
 * The entry of an attempt that ended. The caller's part replaces fields of `attempt`; the money is what the counters are
 * charged.
 * @throws InvalidArgumentError
 */
export function endedEntry(
  attempt: AttemptEntry,
  amount: Amount,
  end: AttemptEnd,
  entry: Partial<UsageEntry>,
): UsageEntry {
  const { status, costSource, costNanoUsd } = end
  const part = readEntry(entry, "entry")
  const whole: AttemptEntry = Object.assign({}, attempt, { status, costSource }, part)
  whole.fingerprint = attempt.fingerprint
  if (end.isBound && part.costSource === undefined) whole.inDoubt = true
  if (amount.nanoUsd !== undefined) whole.reservedNanoUsd = amount.nanoUsd
  if (costNanoUsd !== undefined) whole.costNanoUsd = costNanoUsd
  return whole
}

/** The entry of a call that the budget denied. */
export function deniedEntry(attempt: UsageEntry): UsageEntry {
  const { fingerprint: _fingerprint, ...entry } = attempt
  const none = { reservedNanoUsd: 0, costNanoUsd: 0, costSource: "none" } as const
  return { ...entry, ...none, status: "denied", errorCode: "budget-exceeded" }
}
