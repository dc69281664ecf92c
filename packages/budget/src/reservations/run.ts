import { checkOptions, InvalidArgumentError } from "@p2/core"
import type { Reservation, RunOptions, RunOutcome, RunResult, Settlement } from "../api/budget"
import type { BudgetContext } from "../api/budget-context"
import { ReservationHeldError, SettleMismatchError } from "../api/budget-errors"
import type { PlannedLimit } from "../limits/planned-limit"
import { reserve } from "./reserve"

type OnError = NonNullable<RunOptions["onError"]>

const FAILED = { status: "failed" } as const

/** Reserves, calls, settles. */
export async function run<T>(
  context: BudgetContext,
  childLimits: readonly PlannedLimit[],
  options: RunOptions,
  call: (reservation: Reservation) => Promise<RunOutcome<T>>,
): Promise<RunResult<T>> {
  if (typeof call !== "function") throw new InvalidArgumentError("call", "a function that makes the call", call)
  checkObject(options)
  const { onError = "charge", ...reserveOptions } = options
  checkOnError(onError)
  const reserved = await reserve(context, childLimits, reserveOptions)
  if (reserved.status === "denied") return { ok: false, error: reserved.error }
  const { reservation } = reserved
  // A random key belongs to nobody else: a store that was sent it twice has found its own reservation.
  if (reservation.replayed && options.idempotencyKey !== undefined) {
    // Its owner keeps it alive and settles it: two calls on one reservation would spend it twice.
    reservation.abandon()
    throw new ReservationHeldError(reservation.idempotencyKey)
  }
  let outcome: RunOutcome<T>
  try {
    outcome = await call(reservation)
  } catch (error) {
    await settleFailure(reservation, onError, error).catch((second: unknown) =>
      context.warn(`The failed call of reservation "${reservation.idempotencyKey}" could not be settled.`, second),
    )
    throw error
  }
  let settlement: Settlement
  try {
    settlement = await reservation.settle(outcome?.cost, outcome?.entry)
  } catch (error) {
    // The call was made, and its cost is invalid: the upper bound is charged.
    if (!SettleMismatchError.isInstance(error)) await reservation.settle(reservation.amount)
    throw error
  }
  return { ok: true, value: outcome.value, settlement }
}

/** The call threw: its cost is unknown, unless the caller knows it. */
async function settleFailure(reservation: Reservation, onError: OnError, error: unknown): Promise<void> {
  try {
    const choice = typeof onError === "function" ? onError(error) : onError
    if (choice === "release") await reservation.release()
    else await reservation.settle(choice === "charge" ? reservation.amount : choice, FAILED)
  } catch (second) {
    // The callback threw, or returned what is no amount.
    if (!SettleMismatchError.isInstance(second)) await reservation.settle(reservation.amount, FAILED)
    throw second
  }
}

function checkOnError(onError: unknown): asserts onError is OnError {
  if (onError === "charge" || onError === "release" || typeof onError === "function") return
  throw new InvalidArgumentError("onError", '"charge", "release" or a function of the error', onError)
}

/** The names are checked by `reserve`. */
function checkObject(options: unknown): void {
  if (typeof options !== "object" || options === null) checkOptions(options, new Set())
}
