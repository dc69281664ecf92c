import type { LimitStatus, StoredEntry } from "@p2/budget"
import { formatUsd, LruMap } from "@p2/core"
import type { GuardAttempt } from "@p2/guard"
import type { ProxyCaller } from "@p2/guard/proxy"

/** The ledger records the denials of a subject once per minute. */
const MINUTE_MS = 60_000
const MAX_KEPT = 500

/**
 * Which limits denied the calls of this process. The ledger records that a call was over budget, but not which limit denied it
 * and what remained.
 */
export class Denials {
  readonly #latest = new LruMap<string, { at: number; limits: string }>(MAX_KEPT)

  record(attempt: GuardAttempt, { subject = {} }: ProxyCaller, at: number): void {
    if (attempt.status !== "denied" || attempt.limits.length === 0) return
    const limits = attempt.limits.map(describeLimit).join("; ")
    this.#latest.set(keyOf({ ...subject, model: attempt.model }), { at, limits })
  }

  /** The limits that denied an entry's call, in words; null if another process saw it, or if it is too old. */
  limitsOf(entry: StoredEntry): string | null {
    if (entry.status !== "denied") return null
    const latest = this.#latest.get(keyOf(entry))
    return latest !== undefined && Math.abs(latest.at - entry.at) < MINUTE_MS ? latest.limits : null
  }
}

function keyOf({ userId, clientId, model }: Pick<StoredEntry, "userId" | "clientId"> & { model: string }): string {
  return JSON.stringify([userId, clientId, model])
}

/** For example "user, day: $0.35 of $1.00 remaining". */
function describeLimit({ scope, window, unit, limit, limitNanoUsd, remaining, remainingNanoUsd }: LimitStatus): string {
  const name = typeof scope === "string" ? scope : "tag" in scope ? scope.tag : "this run"
  const where = window === "total" ? name : `${name}, ${window}`
  if (limitNanoUsd !== null && remainingNanoUsd !== null)
    return `${where}: ${formatUsd(remainingNanoUsd)} of ${formatUsd(limitNanoUsd)} remaining`
  return `${where}: ${remaining} of ${limit} ${unit} remaining`
}
