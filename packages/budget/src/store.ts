export { type CounterIdentity, counterName } from "./limits/counters"
export type { Scope, Unit } from "./limits/subject"
export type {
  AdjustReply,
  AdjustRequest,
  BudgetStore,
  CounterChange,
  CounterRef,
  CounterState,
  ExpireReply,
  ExpireRequest,
  ExtendReply,
  ExtendRequest,
  FinalState,
  ListCountersReply,
  ListDueReply,
  Millis,
  Name,
  ReadReply,
  ReserveCounter,
  ReservedCounter,
  ReserveReply,
  ReserveRequest,
  SettleCounter,
  SettleReply,
  SettleRequest,
  StoreCapabilities,
  StoreCheck,
} from "./store/budget-store"
export { checkedStore } from "./store/checked-store"
export { type CreateStoreOptions, createStore } from "./store/create-store"
export type { Found, Position, Reads, RecordKind, Storage, Write } from "./store/storage"
export { StoreError, type StoreErrorCode, type StoreErrorOptions } from "./store/store-error"
export type { StoredEntry, UsageEntry, UsageFilter, UsageStatus } from "./usage/entry"
export { type PartialTotals, UsageFold, type UsageFoldOptions } from "./usage/fold"
export type { UsageGroup, UsageLedger, UsageTotals } from "./usage/ledger"
export { compareAttempts, compareEntries, formatCursor, matchesFilter, parseCursor } from "./usage/query"
