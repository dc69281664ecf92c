import { P2Error } from "@p2/core"

export interface StoreErrorOptions {
  /** `unavailable`: no answer in time; `misconfigured`: the server must be set up otherwise; `corrupt`: stored data make no sense. */
  code: "unavailable" | "misconfigured" | "corrupt"
  /** `no`: nothing was written. `maybe`: send the same id again, or release it. */
  applied: "no" | "maybe"
  cause?: unknown
}

/** The only error that a store's members reject with, besides mistakes. */
export class StoreError extends P2Error {
  declare readonly code: StoreErrorOptions["code"]
  readonly applied: "no" | "maybe"

  constructor(message: string, options: StoreErrorOptions) {
    super(message, {
      code: options.code,
      kind: "failed",
      retryable: options.code === "unavailable",
      cause: options.cause,
    })
    this.name = "StoreError"
    this.applied = options.applied
  }
}
