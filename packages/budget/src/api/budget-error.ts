import { P2Error } from "@p2/core"
import { StoreError } from "../store/store-error"
import {
  IdempotencyKeyMismatchError,
  NoLedgerError,
  ReservationHeldError,
  ReservationResolvedError,
  SettleMismatchError,
  UnknownReservationError,
} from "./budget-errors"
import { BudgetExceededError } from "./budget-exceeded-error"

/** Every error class of this package. Narrowing by `code` gives the fields. */
export type BudgetError =
  | StoreError
  | IdempotencyKeyMismatchError
  | ReservationHeldError
  | ReservationResolvedError
  | UnknownReservationError
  | BudgetExceededError
  | SettleMismatchError
  | NoLedgerError

export type BudgetErrorCode = BudgetError["code"]

const CLASSES = [
  StoreError,
  IdempotencyKeyMismatchError,
  ReservationHeldError,
  ReservationResolvedError,
  UnknownReservationError,
  BudgetExceededError,
  SettleMismatchError,
  NoLedgerError,
]

/**
 * Whether `value` is an error of this package. Works across copies of the package.
 *
 * @example
 * if (isBudgetError(error) && error.code === "reservation-resolved") console.log(error.state)
 */
export function isBudgetError(value: unknown): value is BudgetError {
  return P2Error.isInstance(value) && CLASSES.some((each) => each.isInstance(value))
}
