import type { StoreCapabilities, StoreCheck } from "../store/budget-store"
import type { SuiteLevel } from "./levels"

export interface CaseReport {
  title: string
  status: "passed" | "failed" | "not claimed"
  /** Why it failed, or why it is not claimed. */
  reason?: string | undefined
  /** Of a case that failed: the heading of `docs/custom-store.md` under which its rule stands. */
  rule?: string | undefined
  /** How long it took, in milliseconds; absent where it did not run. */
  durationMs?: number | undefined
}

export interface LevelReport {
  level: SuiteLevel
  /** Of the cases that ran. `not claimed`: limits exclude all of them; `not run`: `only` or the runner left all of them out. */
  status: "passed" | "failed" | "not claimed" | "not run"
  passed: number
  failed: number
  notClaimed: number
  /** Cases that `only` or the runner left out: a level is shown to hold only when this is 0. */
  notRun: number
  /** Why cases are not claimed, each declared reason once. */
  reasons: string[]
  cases: CaseReport[]
}

/** What a store may claim. JSON. */
export interface StoreReport {
  /** Layout of this report. */
  version: 1
  store: string | null
  capabilities: StoreCapabilities | null
  check: StoreCheck | null
  /** Whether at least one case passed and none failed: a run in which nothing ran shows nothing. */
  ok: boolean
  levels: LevelReport[]
}
