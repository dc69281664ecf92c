import type { UsageDraft, UsageEntry, UsageLedger } from "./ledger"

/** A safe integer ≥ 0 in the cell's unit: nano-USD, tokens or requests. */
export type Nat = number
/** Epoch milliseconds by the store's clock. */
export type Millis = number
/** Characters `[A-Za-z0-9_.:|=-]`; a root or an id has at most 64 bytes, a key at most 200. */
export type Name = string

export interface CellRef {
  /** Scope, unit and window. Unique inside the root, never twice in one call. */
  key: Name
  /** Start of the window; null: it has none. Before it a reserve is `stale-window`. */
  startsAt: Millis | null
  /** End of the window, exclusive; null: it has none. */
  endsAt: Millis | null
  /** Endless cells: forget after this long untouched with nothing reserved; null: never. */
  keepMs: number | null
}

export interface ReserveCell extends CellRef {
  /** Upper bound to set aside; 0 never refuses. */
  amount: Nat
  /** Compared with limit + granted; null: only count (up to 2^53 − 1). */
  limit: Nat | null
  /** Charged if the owner vanishes; ≤ amount. */
  onExpire: Nat
}

export interface SettleCell extends CellRef {
  /** What reserve set aside. */
  reserved: Nat
  /** The truth; may exceed `reserved`; 0 when releasing. */
  amount: Nat
}

export interface CellState {
  key: Name
  /** Negative only after corrections. */
  spent: number
  reserved: Nat
  granted: number
}

export interface CellChange extends CellState {
  /** High-water mark of spent before and after: thresholds t with `peakBefore < t ≤ peak` fire now. */
  peakBefore: number
  peak: number
}

/** A lease that ran out in this call, perhaps another subject's. */
export interface Expired {
  id: Name
  cells: (CellChange & { charged: Nat })[]
}

/** How an id ended. */
export type Final = "committed" | "released" | "expired"

export interface ReserveRequest {
  root: Name
  id: Name
  fingerprint: string
  cells: ReserveCell[]
  leaseMs: number
  /** Becomes the usage entry, with status `expired`, when the lease runs out. */
  draft?: UsageDraft | undefined
}

export type ReserveResult = {
  now: Millis
  cells: CellState[]
  expired: Expired[]
  /** More leases are due than this call ended. */
  backlog: boolean
} & (
  | { result: "ok"; replayed: boolean; expiresAt: Millis }
  | { result: "exceeded"; which: number[] }
  | { result: "stale-window"; which: number[] }
  | { result: "mismatch" }
  | { result: "resolved"; state: Final }
)

export interface SettleRequest {
  root: Name
  id: Name
  fingerprint: string
  outcome: "commit" | "release"
  /** 0 is the first truth; a higher one replaces amounts and entry of a committed id. */
  revision: number
  cells: SettleCell[]
  /** End of the lease as reserve answered it; null: never reserved here. Tells a lost id from a forgotten one. */
  expiresAt: Millis | null
  entry?: UsageEntry | undefined
}

export type SettleResult = { now: Millis; cells: CellChange[] } & (
  | { result: "committed" | "released"; replayed: boolean; late: boolean; recovered: boolean }
  | { result: "mismatch" }
  | { result: "forgotten" }
)

export type ExtendResult = { now: Millis } & ({ state: "held"; expiresAt: Millis } | { state: Final | "unknown" })

export interface AdjustRequest {
  root: Name
  id: Name
  cell: CellRef
  /** `spent` corrects, `granted` tops up, `reset` sets spent and peak to 0. */
  kind: "spent" | "granted" | "reset"
  delta: number
}

export type AdjustResult = { now: Millis; cell: CellChange } & (
  | { result: "ok"; replayed: boolean; applied: number }
  | { result: "mismatch" }
  | { result: "stale-window" }
)

export interface StoreCapabilities {
  /** Several processes see one state. */
  shared: boolean
  /** Whose time decides windows and leases. */
  clock: "server" | "process"
  /** How long resolved ids, and cells after `endsAt`, are kept. */
  retentionMs: number
  /** Most cells in one call; at least 16. */
  maxCells: number
}

export interface StoreCheck {
  ok: boolean
  durability: "none" | "process" | "second" | "disk"
  warnings: string[]
}

/**
 * Counts in cells, atomically, and knows no prices, no time zones and no limits of its own. Each member is one atomic
 * step in the store. Members reject with `StoreError` or throw a mistake; everything else is a value.
 */
export interface BudgetStore {
  readonly name: string
  readonly capabilities: StoreCapabilities
  /** Sets `amount` aside in all cells or in none. Nothing is stored of a refusal. */
  reserve(request: ReserveRequest): Promise<ReserveResult>
  /** Replaces a reservation by the truth, or gives it back. Never refuses for lack of room. */
  settle(request: SettleRequest): Promise<SettleResult>
  /** Moves the end of the lease to max(old end, now + leaseMs). Never revives. */
  extend(request: { root: Name; id: Name; leaseMs: number }): Promise<ExtendResult>
  /** Never writes; an unseen key is zeros; `due` counts leases that ran out and are not yet expired. */
  read(request: { root: Name; keys: Name[] }): Promise<{ now: Millis; due: number; cells: CellState[] }>
  /** A correction, a top-up or a reset, exactly once per id. */
  adjust(request: AdjustRequest): Promise<AdjustResult>
  /** Ends leases that ran out, at most `max`, in steps that the store caps. */
  sweep(request: { root: Name; max: number }): Promise<{ now: Millis; expired: Expired[]; more: boolean }>
  /** Once, on first use: whether the server is set up for money. */
  check?(): Promise<StoreCheck>
  /** Present when `settle` writes usage entries in its atomic step. */
  readonly ledger?: UsageLedger | undefined
  close?(): Promise<void>
}
