import { P2Error } from "@p2/core"
import type { Final } from "./store"

/** The id is over: it was committed, released, or its lease ran out. Do not send the call. Code `reservation-resolved`. */
export class ReservationResolvedError extends P2Error {
  readonly id: string
  readonly state: Final

  constructor(id: string, state: Final) {
    super(`The reservation "${id}" is ${state} already: do not send its call again, or reserve under a new id.`, {
      code: "reservation-resolved",
      kind: "failed",
    })
    this.name = "ReservationResolvedError"
    this.id = id
    this.state = state
  }
}

/**
 * `run` met its id held by another caller, who may be sending this call, or died with it. Code `reservation-held`.
 * When that lease has run out, the id is over: what may have been sent under it is not sent again.
 */
export class ReservationHeldError extends P2Error {
  readonly id: string

  constructor(id: string) {
    super(
      `The reservation "${id}" is held by another caller, whose call may be under way: it was not sent again. Wait for that one, or run under a new id.`,
      { code: "reservation-held", kind: "failed" },
    )
    this.name = "ReservationHeldError"
    this.id = id
  }
}

/** The id is known with other content. Code `id-mismatch`. */
export class IdMismatchError extends P2Error {
  readonly id: string

  constructor(id: string) {
    super(
      `The id "${id}" was reserved before with another amount, other scopes or another onExpire: use one id for one call.`,
      { code: "id-mismatch", kind: "usage" },
    )
    this.name = "IdMismatchError"
    this.id = id
  }
}

/** A reservation was settled twice with different amounts, or settled after it was released. Code `settle-mismatch`. */
export class SettleMismatchError extends P2Error {
  readonly id: string

  constructor(id: string, outcome: "commit" | "release") {
    const what =
      outcome === "commit"
        ? "was settled with other amounts or released before: settle once, and correct with a higher revision"
        : "was settled before: what was charged is not given back by a release, settle it with a higher revision"
    super(`The reservation "${id}" ${what}.`, { code: "settle-mismatch", kind: "usage" })
    this.name = "SettleMismatchError"
    this.id = id
  }
}

/** The store keeps no usage ledger. Code `no-ledger`. */
export class NoLedgerError extends P2Error {
  constructor(store: string) {
    super(`The store "${store}" keeps no usage ledger: use one that does, such as memoryStore or redisStore.`, {
      code: "no-ledger",
      kind: "usage",
    })
    this.name = "NoLedgerError"
  }
}
