import type { Budget, BudgetExceededError, DeniedLimit, Subject } from "@p2/budget"
import type { CircuitOpenError } from "../charge/circuit/circuit-open-error"
import { type AttemptReserveOptions, type ReservedAttempt, reserveAttempt } from "../charge/reserve-attempt"
import type { TightenedCall } from "../input-bound/input-bounds"
import type { CallTerms, PricedCall } from "../protocols/protocol"
import type { Guard } from "./guard-options"
import { type CallPlan, planCall, planWithin } from "./plan-call"
import type { ReadCall } from "./read-call"
import { inCurrentScope, mergeSubjects } from "./scope/scope"

/** A call to reserve. */
export interface CallToReserve {
  described: CallTerms
  /** The subject of this call, which completes those of the guard and the scopes around it. */
  subject: Subject | undefined
  signal: AbortSignal | undefined
  /** 1 for the first attempt. */
  attempt: number
}

/** The upper bound of a call, and its reservation: in which budget, and for whom. */
export interface ReservedBound {
  plan: CallPlan
  attempt: ReservedAttempt
  budget: Budget
  subject: Subject
}

/** A call that was read and described. */
export interface DescribedCall {
  read: Extract<ReadCall, { status: "read" }>
  described: PricedCall
  headers: Headers
  /** The subject in the headers of the call. */
  subject: Subject | undefined
}

/** A call whose upper bound is reserved. */
export type ReservedCall = DescribedCall & ReservedBound & Pick<TightenedCall, "onInputReported">

export type ReserveOutcome =
  | { status: "reserved"; reserved: ReservedBound }
  | { status: "denied"; error: BudgetExceededError }
  | { status: "rejected"; error: CircuitOpenError }

/**
 * Reserves the upper bound of a call in the budget of the current scope. With `clampTo: "budget"` a denied call is tried again
 * with a lower output limit: docs/attempts.md has the cases.
 * @throws P2Error if the call has no upper bound, the subject is invalid, the store fails or the signal fires
 */
export async function reserveCall(guard: Guard, call: CallToReserve): Promise<ReserveOutcome> {
  const plan = planCall(call.described, guard)
  if (guard.clampTo === "budget") return reserveClamped(guard, call, plan)
  return reservePlan(guard, call, plan, { wait: guard.wait, recordDenial: true })
}

/** Lowers the output limit until the call fits. All tries together wait no longer than the options allow. */
async function reserveClamped(guard: Guard, call: CallToReserve, plan: CallPlan): Promise<ReserveOutcome> {
  const { described } = call
  const endsAt = performance.now() + (guard.wait?.timeoutMs ?? 0)
  for (let next = plan; ; ) {
    const waitMs = Math.max(0, Math.ceil(endsAt - performance.now()))
    const wait = waitMs === 0 ? undefined : { timeoutMs: waitMs }
    const outcome = await reservePlan(guard, call, next, { wait, recordDenial: false })
    if (outcome.status !== "denied") return outcome
    const fitting = (remainingIn: (limit: DeniedLimit) => number, denied = next) =>
      planWithin(described, denied, outcome.error, guard, remainingIn)
    const remainingMs = endsAt - performance.now()
    const narrower =
      (remainingMs > 0 ? fitting((limit) => remainingWithin(limit, remainingMs)) : undefined) ?? fitting(remainingNow)
    if (narrower === undefined) {
      // Requests what a retry can get, so that the denial says when to retry.
      const retried = fitting(remainingAfterReleases, plan) ?? fitting(remainingAfterReset, plan) ?? plan
      return reservePlan(guard, call, retried, { wait: undefined, recordDenial: true })
    }
    next = narrower
  }
}

/** In nano-USD, tokens or requests. */
function amountsOf(denied: DeniedLimit): { requested: number; limit: number; unspent: number; remaining: number } {
  if (denied.unit !== "usd") {
    const { requested, limit, granted, spent, remaining } = denied
    return { requested, limit, unspent: limit + granted - spent, remaining }
  }
  const { limitNanoUsd, grantedNanoUsd, spentNanoUsd, requestedNanoUsd, remainingNanoUsd } = denied
  const unspent = limitNanoUsd! + grantedNanoUsd! - spentNanoUsd!
  return { requested: requestedNanoUsd!, limit: limitNanoUsd!, unspent, remaining: remainingNanoUsd! }
}

function remainingNow(denied: DeniedLimit): number {
  return amountsOf(denied).remaining
}

/** When the other calls have ended without using their reservations. */
function remainingAfterReleases(denied: DeniedLimit): number {
  return amountsOf(denied).unspent
}

/** In this window or the next one. */
function remainingAfterReset(denied: DeniedLimit): number {
  const { limit, unspent } = amountsOf(denied)
  return denied.resetsAt === null ? unspent : Math.max(limit, unspent)
}

/** The part of the requested amount that may fit the limit within a wait. */
function remainingWithin(denied: DeniedLimit, waitMs: number): number {
  const { requested, limit } = amountsOf(denied)
  if (denied.retryAfterMs !== null && denied.retryAfterMs <= waitMs) return requested
  // The denial does not say when a limit resets that the call exceeds. The next denial, for the whole limit, does.
  return requested > limit ? remainingAfterReset(denied) : remainingAfterReleases(denied)
}

async function reservePlan(
  guard: Guard,
  call: CallToReserve,
  plan: CallPlan,
  { wait, recordDenial }: Pick<AttemptReserveOptions, "wait" | "recordDenial">,
): Promise<ReserveOutcome> {
  const { provider, model } = call.described
  const scope = inCurrentScope(guard.budget, guard.subject)
  const { budget } = scope
  const subject: Subject = Object.assign({}, mergeSubjects(scope.subject, call.subject), { model })
  const { nanoUsd, tokens } = plan.bound
  const outcome = await reserveAttempt({
    budget,
    provider,
    model,
    subject,
    amount: { nanoUsd, tokens },
    wait,
    signal: call.signal,
    entry: { provider, attempt: call.attempt },
    recordDenial,
  })
  if (outcome.status !== "reserved") return outcome
  return { status: "reserved", reserved: { plan, attempt: outcome.attempt, budget, subject } }
}
