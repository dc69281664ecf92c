import type { Budget, BudgetExceededError, Reservation, ReserveOptions } from "@p2/budget"
import type { CircuitOpenError } from "./circuit/circuit-open-error"

/** A call to reserve: the options of `budget.reserve`, and the provider and model for the circuit breaker. */
export interface AttemptRequest extends ReserveOptions {
  budget: Budget
  /** As in the usage entry. */
  provider: string
  model: string
}

/** The outcome of {@link reserveAttempt}. Nothing is reserved unless `reserved`. */
export type AttemptReserve =
  | { status: "reserved"; attempt: ReservedAttempt }
  /** The budget denied it. */
  | { status: "denied"; error: BudgetExceededError }
  /** The circuit breaker rejected it. */
  | { status: "rejected"; error: CircuitOpenError }

/** An attempt with a reservation, to send and then to settle with {@link settleAttempt}. */
export interface ReservedAttempt {
  readonly reservation: Reservation
}
