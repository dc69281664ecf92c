export type {
  Budget,
  BudgetAlert,
  BudgetOptions,
  BudgetUsage,
  CloseOptions,
  Correction,
  CorrectOptions,
  LimitTarget,
  OnExpire,
  OnStoreFailure,
  Reservation,
  ReserveOptions,
  ReserveResult,
  ReserveWait,
  RunOptions,
  RunOutcome,
  RunResult,
  SettleOptions,
  SettleResult,
  UsageListQuery,
  UsagePartition,
  UsageTotalsQuery,
  WaitedLimit,
  WaitOptions,
} from "./api/budget"
export { createBudget } from "./api/create-budget"
export {
  type BudgetError,
  type BudgetErrorCode,
  BudgetExceededError,
  type DeniedLimit,
  IdempotencyKeyMismatchError,
  isBudgetError,
  NoLedgerError,
  ReservationHeldError,
  ReservationResolvedError,
  SettleMismatchError,
  UnknownReservationError,
} from "./api/errors"
export type { Amount, AmountInput } from "./limits/amount"
export type { Limit, LimitAmounts, Limits } from "./limits/limit"
export type { LimitStatus } from "./limits/limit-status"
export type { Scope, Subject } from "./limits/subject"
export type { WindowPeriod } from "./limits/window"
export { type MemoryStore, type MemoryStoreOptions, memoryStore } from "./memory/memory-store"
export type { BudgetStore, FinalState, StoreCapabilities, StoreCheck } from "./store/budget-store"
export type { Millis, Name } from "./store/shape"
export { StoreError, type StoreErrorCode, type StoreErrorOptions } from "./store/store-error"
export type { StoredEntry, UsageEntry, UsageFilter, UsageStatus } from "./usage/entry"
export type { UsageGroup, UsageTotals } from "./usage/ledger"
