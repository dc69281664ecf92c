import { P2Error } from "@p2/core"
import { expect, it } from "vitest"
import * as budgetPackage from "../src"
import {
  BudgetExceededError,
  type DeniedLimit,
  IdempotencyKeyMismatchError,
  isBudgetError,
  NoLedgerError,
  ReservationHeldError,
  ReservationResolvedError,
  SettleMismatchError,
  StoreError,
  UnknownReservationError,
} from "../src"

const limit: DeniedLimit = {
  ...{ scope: "user", window: "day", timeZone: null, unit: "tokens", limit: 1, granted: 0, spent: 1, reserved: 0 },
  ...{ remaining: 0, requested: 1, limitNanoUsd: null, grantedNanoUsd: null, spentNanoUsd: null, retryAfterMs: 5 },
  ...{ reservedNanoUsd: null, remainingNanoUsd: null, requestedNanoUsd: null, startsAt: 0, resetsAt: 5 },
}
const errors = {
  "budget-exceeded": [BudgetExceededError, new BudgetExceededError([limit]), "denied"],
  "idempotency-key-mismatch": [IdempotencyKeyMismatchError, new IdempotencyKeyMismatchError("k"), "usage"],
  "reservation-held": [ReservationHeldError, new ReservationHeldError("k"), "failed"],
  "reservation-resolved": [ReservationResolvedError, new ReservationResolvedError("k", "expired"), "failed"],
  "unknown-reservation": [UnknownReservationError, new UnknownReservationError("k"), "failed"],
  "settle-mismatch": [SettleMismatchError, new SettleMismatchError("k", "settled"), "usage"],
  "no-ledger": [NoLedgerError, new NoLedgerError("memory"), "usage"],
  "store-unavailable": [StoreError, new StoreError("down", { code: "store-unavailable", applied: "no" }), "failed"],
} as const

it.each(Object.entries(errors))("%s has its name, kind and isInstance", (code, [type, error, kind]) => {
  expect(error).toMatchObject({ code, kind })
  expect(budgetPackage).toHaveProperty(error.name)
  for (const [, other] of Object.values(errors)) expect(type.isInstance(other)).toBe(other === error)
  // From another copy of the package: recognized by its mark, not by its class.
  const copy = new P2Error(error.message, { code, kind })
  if (code !== "store-unavailable") expect(type.isInstance(copy)).toBe(true)
  for (const value of [null, undefined, {}, new Error("x"), { code }]) expect(type.isInstance(value)).toBe(false)
})

it("an error of this package is recognized, and its code gives its fields", () => {
  for (const [, error] of Object.values(errors)) expect(isBudgetError(error)).toBe(true)
  for (const value of [null, new Error("x"), new P2Error("x", { code: "x", kind: "failed" })])
    expect(isBudgetError(value)).toBe(false)
  const error: unknown = new ReservationResolvedError("k", "expired")
  if (!isBudgetError(error) || error.code !== "reservation-resolved") throw new Error("not recognized")
  // Typed without instanceof.
  const state: "settled" | "released" | "expired" = error.state
  expect(state).toBe("expired")
})
