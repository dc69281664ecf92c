import { toUsdNumber } from "@p2/core"
import { BudgetExceededError, type DeniedLimit, fitsAfterReleases } from "../api/errors"
import { type Amount, amountOf } from "../limits/amount"
import type { CallCounter } from "../limits/counters"
import { statusOf } from "../limits/limit-status"
import type { CounterState } from "../store/budget-store"
import type { Millis, Name } from "../store/shape"

/** The suggested wait when other calls have reserved the remaining amount: they may end at any moment. */
const BUSY_RETRY_MS = 1_000

/** A denial, and how long the call would have to wait until it fits. */
export interface Denial {
  error: BudgetExceededError
  /** Milliseconds until only the reservations of other calls prevent the call; null: waiting does not help. */
  blockedMs: number | null
  /** The counters that denied it. */
  partition: Name
  counters: readonly Name[]
}

/** Creates the denial for the counters that `which` lists. */
export function denialOf(
  partition: Name,
  counters: readonly CallCounter[],
  amount: Amount,
  reply: { counters: readonly CounterState[]; which: readonly number[]; now: Millis; due: boolean },
): Denial {
  const denied = reply.which.map((index) => deniedLimit(counters[index]!, reply.counters[index]!, amount, reply.now))
  denied.sort((a, b) => (b.retryAfterMs ?? Infinity) - (a.retryAfterMs ?? Infinity) || 0)
  const blocked = denied.map((limit) => (fitsAfterReleases(limit) ? 0 : limit.retryAfterMs))
  return {
    error: new BudgetExceededError(denied as [DeniedLimit, ...DeniedLimit[]], { dueLeases: reply.due }),
    blockedMs: blocked.includes(null) ? null : Math.max(...(blocked as number[])),
    partition,
    counters: reply.which.map((index) => counters[index]!.name),
  }
}

function deniedLimit(counter: CallCounter, state: CounterState, amount: Amount, now: Millis): DeniedLimit {
  const smallest = counter.limits[0]!
  // A counter without a limit denies only amounts that exceed a safe integer.
  const limit = smallest.limit ?? Number.MAX_SAFE_INTEGER
  const requested = amountOf(counter.unit, amount)
  const status = statusOf({ ...smallest, limit }, counter, state)
  const isMoney = counter.unit === "nanoUsd"
  const denied = {
    ...status,
    limit: status.limit!,
    remaining: status.remaining!,
    requested: isMoney ? toUsdNumber(requested) : requested,
    requestedNanoUsd: isMoney ? requested : null,
    retryAfterMs: null,
  }
  const untilReset = counter.endsAt === null ? null : Math.max(0, counter.endsAt - now)
  if (fitsAfterReleases(denied))
    return { ...denied, retryAfterMs: Math.min(BUSY_RETRY_MS, untilReset ?? BUSY_RETRY_MS) }
  // Top-ups end with the window.
  return { ...denied, retryAfterMs: requested <= limit ? untilReset : null }
}
