import { P2Error } from "@p2/core"
import type { FinalState } from "../store/budget-store"

/** The key was already reserved with different content. Code `idempotency-key-mismatch`. */
export class IdempotencyKeyMismatchError extends P2Error<"idempotency-key-mismatch"> {
  readonly idempotencyKey: string

  constructor(idempotencyKey: string) {
    super(
      `The idempotency key "${idempotencyKey}" was already reserved with a different amount, limits or \`onExpire\`. Use a new key for each call.`,
      { code: "idempotency-key-mismatch", kind: "usage" },
    )
    this.name = "IdempotencyKeyMismatchError"
    this.idempotencyKey = idempotencyKey
  }

  static override isInstance(value: unknown): value is IdempotencyKeyMismatchError {
    return P2Error.isInstance(value) && value.code === "idempotency-key-mismatch"
  }
}

/**
 * Another caller has reserved the key that was passed to `run`, and may be sending the call. Code `reservation-held`. Once
 * that lease has expired, the key is resolved: a call that may have been sent is not sent again.
 */
export class ReservationHeldError extends P2Error<"reservation-held"> {
  readonly idempotencyKey: string

  constructor(idempotencyKey: string) {
    super(
      `The reservation "${idempotencyKey}" belongs to another caller, which may be sending the call, so the call was not sent. Wait for that caller, or use a new key.`,
      { code: "reservation-held", kind: "failed" },
    )
    this.name = "ReservationHeldError"
    this.idempotencyKey = idempotencyKey
  }

  static override isInstance(value: unknown): value is ReservationHeldError {
    return P2Error.isInstance(value) && value.code === "reservation-held"
  }
}

/** The reservation was settled or released, or its lease has expired. Code `reservation-resolved`. */
export class ReservationResolvedError extends P2Error<"reservation-resolved"> {
  readonly idempotencyKey: string
  readonly state: FinalState

  constructor(idempotencyKey: string, state: FinalState) {
    super(
      `The reservation "${idempotencyKey}" is already ${state}. Do not send its call again, or reserve with a new key.`,
      { code: "reservation-resolved", kind: "failed" },
    )
    this.name = "ReservationResolvedError"
    this.idempotencyKey = idempotencyKey
    this.state = state
  }

  static override isInstance(value: unknown): value is ReservationResolvedError {
    return P2Error.isInstance(value) && value.code === "reservation-resolved"
  }
}

/** The store has no reservation with the key that was passed to `resume`: it was never made, or was resolved long ago. Code `unknown-reservation`. */
export class UnknownReservationError extends P2Error<"unknown-reservation"> {
  readonly idempotencyKey: string

  constructor(idempotencyKey: string) {
    super(
      `The store has no reservation with the idempotency key "${idempotencyKey}". It was never made, was made in another partition (pass its \`subject\`), or was resolved long ago.`,
      { code: "unknown-reservation", kind: "failed" },
    )
    this.name = "UnknownReservationError"
    this.idempotencyKey = idempotencyKey
  }

  static override isInstance(value: unknown): value is UnknownReservationError {
    return P2Error.isInstance(value) && value.code === "unknown-reservation"
  }
}

/** A reservation was settled twice with different amounts, or settled after it was released. Code `settle-mismatch`. */
export class SettleMismatchError extends P2Error<"settle-mismatch"> {
  readonly idempotencyKey: string

  constructor(idempotencyKey: string, outcome: "settled" | "released") {
    super(
      outcome === "settled"
        ? `The reservation "${idempotencyKey}" was already released, or settled with other amounts. Settle once; to replace the cost, settle with a higher \`revision\`.`
        : `The reservation "${idempotencyKey}" is already settled, so it cannot be released. To change its cost, settle with a higher \`revision\`.`,
      { code: "settle-mismatch", kind: "usage" },
    )
    this.name = "SettleMismatchError"
    this.idempotencyKey = idempotencyKey
  }

  static override isInstance(value: unknown): value is SettleMismatchError {
    return P2Error.isInstance(value) && value.code === "settle-mismatch"
  }
}

/** The store keeps no usage ledger. Code `no-ledger`. */
export class NoLedgerError extends P2Error<"no-ledger"> {
  constructor(store: string) {
    super(`The store "${store}" keeps no usage ledger. Use a store that does, such as memoryStore() or redisStore().`, {
      code: "no-ledger",
      kind: "usage",
    })
    this.name = "NoLedgerError"
  }

  static override isInstance(value: unknown): value is NoLedgerError {
    return P2Error.isInstance(value) && value.code === "no-ledger"
  }
}
