import type { Budget, BudgetExceededError, Subject } from "@p2/budget"
import { type ReservedAttempt, reserveAttempt } from "../charge/attempt"
import type { CircuitOpenError } from "../charge/circuit/circuit-open-error"
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
export interface Reserved {
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
export type ReservedCall = DescribedCall & Reserved & Pick<TightenedCall, "onInputReported">

export type ReserveOutcome =
  | { status: "reserved"; reserved: Reserved }
  | { status: "denied"; error: BudgetExceededError }
  | { status: "rejected"; error: CircuitOpenError }

/**
 * Reserves the upper bound of a call in the budget of the current scope. With `clampTo: "budget"` a denied call is tried
 * once more, with the output limit that the denying limits can still pay.
 * @throws P2Error if the call has no upper bound, the subject is invalid, the store fails or the signal fires
 */
export async function reserveCall(guard: Guard, call: CallToReserve): Promise<ReserveOutcome> {
  const { described } = call
  const plan = planCall(described, guard)
  const first = await reservePlan(guard, call, plan, { recordDenial: guard.clampTo !== "budget" })
  if (first.status !== "denied" || guard.clampTo !== "budget") return first
  const narrower = planWithin(described, plan, first.error, guard)
  return reservePlan(guard, call, narrower ?? plan, { recordDenial: true })
}

async function reservePlan(
  guard: Guard,
  call: CallToReserve,
  plan: CallPlan,
  { recordDenial }: { recordDenial: boolean },
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
    wait: guard.wait,
    signal: call.signal,
    entry: { provider, attempt: call.attempt },
    recordDenial,
  })
  if (outcome.status !== "reserved") return outcome
  return { status: "reserved", reserved: { plan, attempt: outcome.attempt, budget, subject } }
}
