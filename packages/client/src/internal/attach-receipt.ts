import { P2Error } from "@p2/core"
import { type ErrorWithReceipt, UnexpectedError } from "../client-errors"
import type { Receipt } from "../receipt"

/** The error with its receipt, which stays out of `console.log`. What is no p2 error is wrapped first. */
export function attachReceipt(error: unknown, receipt: Receipt): ErrorWithReceipt {
  const ours = P2Error.isInstance(error) ? error : new UnexpectedError(error)
  Object.defineProperty(ours, "receipt", { value: receipt, enumerable: false, configurable: true })
  return ours as ErrorWithReceipt
}
