import { checkOptions, InvalidArgumentError } from "@p2/core"
import type { Reservation, RunOptions, RunOutcome, RunResult, SettleResult } from "../api/budget"
import type { BudgetContext } from "../api/budget-context"
import { ReservationHeldError, SettleMismatchError } from "../api/errors"
import type { PlannedLimit } from "../limits/limit"
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
  if (typeof call !== "function")
    throw new InvalidArgumentError("call", "a function that makes the call, after the options", call)
  checkObject(options)
  const { onError = "charge", ...reserveOptions } = options
  checkOnError(onError)
  const reserved = await reserve(context, childLimits, reserveOptions)
  if (!reserved.ok) return { ok: false, error: reserved.error }
  const { reservation } = reserved
  // No other caller has a random key: a replay of it is the reservation of this call.
  if (reservation.replayed && options.idempotencyKey !== undefined) {
    // Its owner settles it. Two calls on one reservation would spend it twice.
    reservation.stopHeartbeat()
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
  let settlement: SettleResult
  try {
    if (outcome?.cost === undefined)
      throw new InvalidArgumentError("cost", "that `call` resolves to { value, cost }", outcome)
    settlement = await reservation.settle(outcome.cost, outcome.entry)
  } catch (error) {
    // The call was made but its cost is invalid: charge the upper bound.
    if (!SettleMismatchError.isInstance(error)) await reservation.settle(reservation.amount)
    throw error
  }
  return { ok: true, value: outcome.value, settlement }
}

/** Settles a call that threw. Its cost is unknown unless `onError` returns it. */
async function settleFailure(reservation: Reservation, onError: OnError, error: unknown): Promise<void> {
  try {
    const choice = typeof onError === "function" ? onError(error) : onError
    if (choice === "release") await reservation.release()
    else await reservation.settle(choice === "charge" ? reservation.amount : choice, FAILED)
  } catch (second) {
    // The callback threw, or returned an invalid amount.
    if (!SettleMismatchError.isInstance(second)) await reservation.settle(reservation.amount, FAILED)
    throw second
  }
}

function checkOnError(onError: unknown): asserts onError is OnError {
  if (onError === "charge" || onError === "release" || typeof onError === "function") return
  throw new InvalidArgumentError("onError", '"charge", "release" or a function of the error', onError)
}

/** `reserve` checks the option names. */
function checkObject(options: unknown): void {
  if (typeof options !== "object" || options === null) checkOptions(options, new Set())
}
