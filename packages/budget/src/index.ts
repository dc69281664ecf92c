export type {
  Amount,
  AmountInput,
  Budget,
  BudgetAlert,
  BudgetOptions,
  CloseOptions,
  Correction,
  CorrectOptions,
  LimitStatus,
  LimitTarget,
  OnExpire,
  OnStoreFailure,
  Reservation,
  ReserveOptions,
  ReserveOutcome,
  RunOptions,
  RunOutcome,
  RunResult,
  Settlement,
  SettleOptions,
  WaitOptions,
} from "./budget"
export {
  IdMismatchError,
  NoLedgerError,
  ReservationHeldError,
  ReservationResolvedError,
  SettleMismatchError,
} from "./budget-errors"
export { BudgetExceededError, type RefusedLimit } from "./budget-exceeded-error"
export { createBudget } from "./create-budget"
export type {
  StoredEntry,
  UsageDraft,
  UsageEntry,
  UsageFilter,
  UsageGroup,
  UsageLedger,
  UsageStatus,
  UsageTotals,
} from "./ledger"
export { foldUsage, matchesFilter, UsageFold } from "./ledger-fold"
export type { Limit, LimitAmounts, Limits, WindowPeriod } from "./limit"
export { type MemoryStore, type MemoryStoreOptions, memoryStore } from "./memory-store"
export type {
  AdjustRequest,
  AdjustResult,
  BudgetStore,
  CellChange,
  CellRef,
  CellState,
  Expired,
  ExtendResult,
  Final,
  Millis,
  Name,
  Nat,
  ReserveCell,
  ReserveRequest,
  ReserveResult,
  SettleCell,
  SettleRequest,
  SettleResult,
  StoreCapabilities,
  StoreCheck,
} from "./store"
export {
  checkAdjustRequest,
  checkExtendRequest,
  checkListRequest,
  checkName,
  checkPruneRequest,
  checkReadRequest,
  checkRecordRequest,
  checkReserveRequest,
  checkSettleRequest,
  checkSweepRequest,
  checkTotalsRequest,
  compareEntries,
} from "./store-checks"
export { StoreError, type StoreErrorOptions } from "./store-error"
export type { Scope, Subject, Unit } from "./subject"
export type { BudgetUsage, UsageListQuery, UsageRoot, UsageTotalsQuery } from "./usage-queries"
