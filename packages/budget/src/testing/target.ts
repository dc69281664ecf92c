import type { BudgetStore } from "../store/budget-store"
import type { SuiteLevel, SuiteNeed } from "./levels"
import type { CaseReport, StoreReport } from "./report"

/** The store's time, under the suite's control. */
export interface SuiteClock {
  /** Epoch milliseconds that the store sees. */
  now(): number
  /**
   * Moves time by this much, a negative number backwards. When this resolves, everything that the store or its database
   * deletes by itself until then is deleted.
   */
  advance(ms: number): void | Promise<void>
}

/** Ways to break what lies between the suite and the state. Each is optional; what is absent is declared as a limit. */
export interface SuiteFaults {
  /** From here on nothing reaches the state: every member must reject with a `StoreError`. */
  down?(): void | Promise<void>
  /** Ends `down`. Required with it. */
  up?(): void | Promise<void>
  /** The next call is applied and its answer is lost: it must reject with `applied: "maybe"`. */
  loseAnswer?(): void | Promise<void>
  /** Overwrites the stored record of a counter or a reservation with any value that is invalid, such as `{"spent":0.5}`. */
  damage?(record: { partition: string; kind: "counter" | "reservation"; key: string }): void | Promise<void>
  /** Closes the store and opens it again on the same state. Resolves to the store to use from here on. */
  restart?(): Promise<BudgetStore>
}

/** A store in another process. `connectStore` makes one of a child process. */
export interface StoreProcess {
  store: BudgetStore
  /** Ends the process at once, as `kill -9` does; resolves when it is gone. */
  kill(): Promise<void>
  /** Lets the process end by itself, and kills it when it does not. */
  close(): Promise<void>
}

/** A fresh, isolated store for one case, and what the suite may do to it. */
export interface SuiteTarget {
  store: BudgetStore
  /** @defaultValue a name that no other case uses */
  partition?: string | undefined
  clock?: SuiteClock | undefined
  faults?: SuiteFaults | undefined
  /** Opens the same state in another process. */
  spawn?: (() => Promise<StoreProcess>) | undefined
  /**
   * How many counters, reservations and adjustments this partition holds now, usage entries left out; of the whole store if no
   * other case shares it.
   */
  size?: ((partition: string) => number | Promise<number>) | undefined
  /** How long the ledger keeps an entry. Absent: until it is pruned. */
  ledgerRetentionMs?: number | undefined
  /** Called when the case is over, passed or not. */
  close?: (() => void | Promise<void>) | undefined
}

/** The level and the title of one case. */
export interface SuiteCaseName {
  level: SuiteLevel
  title: string
}

/**
 * Makes one target per case; a database may be shared by several, since each case has partitions of its own. Cases of the level `processes` run on real time: give them no injected clock, and a state
 * that other processes can open.
 */
export type SuiteFactory = (about: SuiteCaseName) => SuiteTarget | Promise<SuiteTarget>

export interface SuiteOptions {
  /** Heading of the suite. @defaultValue "budget store" */
  name?: string | undefined
  /**
   * What the store or its factory cannot show, each with the reason, which the report prints. Cases that need it are
   * "not claimed". A need that is neither offered nor declared here fails its cases, and so does a limit that the store
   * contradicts.
   */
  limits?: Partial<Record<SuiteNeed, string>> | undefined
  /** Which cases run. @defaultValue all of them */
  only?: ((one: SuiteCaseName) => boolean) | undefined
  /** Random programs of each fuzz case; a few will do while you develop. @defaultValue 40 */
  fuzzRuns?: number | undefined
  /** First seed of the fuzz cases; run i uses seed + i. A failure prints the seed that repeats it with `fuzzRuns: 1`. @defaultValue 1 */
  seed?: number | undefined
  /** Most milliseconds that one case may take; one that takes longer fails. @defaultValue 120000 */
  timeoutMs?: number | undefined
  /** Called after each case, for progress: a run takes minutes on a slow store. */
  onCase?: ((report: CaseReport) => void) | undefined
  /** Receives the report when every case has run. */
  onReport?: ((report: StoreReport) => void) | undefined
}
