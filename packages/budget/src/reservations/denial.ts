import { toUsdNumber } from "@p2/core"
import { BudgetExceededError, type DeniedLimit } from "../api/errors"
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
  /** Whether only the reservations of other calls prevent the call, in every limit. */
  isBusy: boolean
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
  denied.sort((a, b) => (b.limit.retryAfterMs ?? Infinity) - (a.limit.retryAfterMs ?? Infinity) || 0)
  const limits = denied.map(({ limit }) => limit) as [DeniedLimit, ...DeniedLimit[]]
  const blocked = denied.map(({ limit, isBusy }) => (isBusy ? 0 : limit.retryAfterMs))
  return {
    error: new BudgetExceededError(limits, { dueLeases: reply.due }),
    blockedMs: blocked.includes(null) ? null : Math.max(...(blocked as number[])),
    isBusy: denied.every(({ isBusy }) => isBusy),
    partition,
    counters: reply.which.map((index) => counters[index]!.name),
  }
}

function deniedLimit(
  counter: CallCounter,
  state: CounterState,
  amount: Amount,
  now: Millis,
): { limit: DeniedLimit; isBusy: boolean } {
  const smallest = counter.limits[0]!
  // A counter without a limit denies only amounts that exceed a safe integer.
  const limit = smallest.limit ?? Number.MAX_SAFE_INTEGER
  const requested = amountOf(counter.unit, amount)
  const isBusy = requested <= limit + state.granted - state.spent
  const untilReset = counter.endsAt === null ? null : Math.max(0, counter.endsAt - now)
  const status = statusOf({ ...smallest, limit }, counter, state)
  const isMoney = counter.unit === "nanoUsd"
  return {
    isBusy,
    limit: {
      ...status,
      limit: status.limit!,
      remaining: status.remaining!,
      requested: isMoney ? toUsdNumber(requested) : requested,
      requestedNanoUsd: isMoney ? requested : null,
      retryAfterMs: retryAfterMs(isBusy, requested <= limit, untilReset),
    },
  }
}

function retryAfterMs(isBusy: boolean, fitsNextWindow: boolean, untilReset: number | null): number | null {
  if (isBusy) return Math.min(BUSY_RETRY_MS, untilReset ?? BUSY_RETRY_MS)
  // Top-ups end with the window.
  return fitsNextWindow ? untilReset : null
}
