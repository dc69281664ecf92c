import type { BudgetStore } from "../store"
import type { SuiteClock, SuiteLevel, SuiteNeed, SuiteTarget } from "./target"

/** What a case works with: a fresh store, a root of its own, and the target's tools. */
export interface CaseBench {
  readonly store: BudgetStore
  readonly root: string
  readonly target: SuiteTarget
  /** The injected clock. Throws when the target has none; a case that uses it lists the need `clock`. */
  readonly clock: SuiteClock
  readonly fuzzRuns: number
  readonly seed: number
  /** Another root in the same store. */
  otherRoot(name: string): string
  /** The store's time, by its own account. */
  now(): Promise<number>
}

/** One case of the suite, as data. */
export interface StoreCase {
  level: SuiteLevel
  /** Unique in its level. */
  name: string
  needs: readonly SuiteNeed[]
  /** Where the rule stands that the case is about: a heading of `docs/custom-store.md`, or of the README. */
  read: string
  run(bench: CaseBench): Promise<void>
}

/** Writes the cases of one level with less noise. */
export function casesOf(level: SuiteLevel, read: string, entries: readonly CaseEntry[]): StoreCase[] {
  return entries.map(([name, needs, run]) => ({ level, name, needs, read, run }))
}

export type CaseEntry = readonly [name: string, needs: readonly SuiteNeed[], run: (bench: CaseBench) => Promise<void>]
