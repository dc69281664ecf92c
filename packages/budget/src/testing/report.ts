import type { StoreCapabilities, StoreCheck } from "../store/budget-store"

/** The levels, in the order in which they run and are reported. */
export const SUITE_LEVELS = [
  "contract",
  "concurrency",
  "leases",
  "time",
  "idempotency",
  "faults",
  "processes",
  "ledger",
] as const

/** A level that a store may claim. */
export type SuiteLevel = (typeof SUITE_LEVELS)[number]

/** Needs of cases besides the store; a limit is declared under one of these names. */
export const SUITE_NEEDS = [
  "clock",
  "size",
  "ledger",
  "ledgerRetention",
  "processes",
  "down",
  "loseAnswer",
  "damage",
  "restart",
] as const

export type SuiteNeed = (typeof SUITE_NEEDS)[number]

export interface CaseReport {
  title: string
  status: "passed" | "failed" | "not claimed"
  /** Why it failed, or why it is not claimed. */
  reason?: string | undefined
  /** Only of a failed case: the heading of its rule in `docs/custom-store.md`. */
  rule?: string | undefined
  /** Duration in milliseconds; absent if the case did not run. */
  durationMs?: number | undefined
}

export interface LevelReport {
  level: SuiteLevel
  /** Result of the cases that ran. `not claimed`: limits exclude all cases; `not run`: `only` or the runner excludes all of them. */
  status: "passed" | "failed" | "not claimed" | "not run"
  passed: number
  failed: number
  notClaimed: number
  /** Cases that `only` or the runner excludes: a level is proven only if this is 0. */
  notRun: number
  /** Declared reasons why cases are not claimed, each once. */
  reasons: string[]
  cases: CaseReport[]
}

/** The result of a run, as JSON. */
export interface StoreReport {
  /** Version of the layout of this report. */
  version: 1
  store: string | null
  capabilities: StoreCapabilities | null
  check: StoreCheck | null
  /** True if at least one case passed and none failed. */
  ok: boolean
  levels: LevelReport[]
}
