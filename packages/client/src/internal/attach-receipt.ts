import type { P2Error } from "@p2/core"
import type { ErrorWithReceipt } from "../client-errors"
import type { Receipt } from "../receipt"

/** The error with its receipt, which is not enumerable: it stays out of `console.log`. */
export function attachReceipt(error: P2Error, receipt: Receipt): ErrorWithReceipt {
  return Object.defineProperty(error, "receipt", { value: receipt, configurable: true }) as ErrorWithReceipt
}
