import { P2Error } from "@p2/core"

export type StoreErrorCode = "store-unavailable" | "store-misconfigured" | "store-corrupt"

export interface StoreErrorOptions {
  /**
   * `store-unavailable`: no reply in time; `store-misconfigured`: the server's configuration is wrong;
   * `store-corrupt`: stored data are invalid.
   */
  code: StoreErrorCode
  /** `no`: nothing was written. `maybe`: send the same idempotency key again, or release it. */
  applied: "no" | "maybe"
  /**
   * Whether it conflicted with another transaction: `createStore` tries again. Only with `applied: "no"`. @defaultValue
   * false
   */
  conflict?: boolean | undefined
  cause?: unknown
}

/** The only error that members of a store reject with, besides usage errors. */
export class StoreError extends P2Error {
  declare readonly code: StoreErrorCode
  readonly applied: "no" | "maybe"
  readonly conflict: boolean

  constructor(message: string, options: StoreErrorOptions) {
    super(message, {
      code: options.code,
      kind: "failed",
      retryable: options.code === "store-unavailable",
      cause: options.cause,
    })
    this.name = "StoreError"
    this.applied = options.applied
    this.conflict = options.conflict ?? false
  }

  /** Whether `value` is a store error. Works across copies of the package. */
  static override isInstance(value: unknown): value is StoreError {
    return P2Error.isInstance(value) && value.name === "StoreError" && "applied" in value
  }
}

type Applied = StoreErrorOptions["applied"]

export function unavailable(message: string, applied: Applied = "no", cause?: unknown): StoreError {
  return new StoreError(message, { code: "store-unavailable", applied, cause })
}

export function misconfigured(message: string, applied: Applied = "no", cause?: unknown): StoreError {
  return new StoreError(message, { code: "store-misconfigured", applied, cause })
}

export function corrupt(message: string, applied: Applied = "no", cause?: unknown): StoreError {
  return new StoreError(message, { code: "store-corrupt", applied, cause })
}
