import type { BudgetStore } from "../store/budget-store"
import type { CaseReport, StoreReport, SuiteLevel, SuiteNeed } from "./report"

/** The store's time, under the suite's control. */
export interface SuiteClock {
  /** Epoch milliseconds that the store sees. */
  now(): number
  /**
   * Moves time by this many milliseconds; a negative number moves it backwards. Resolves when the store and its database
   * have deleted every record that they delete by themselves until the new time.
   */
  advance(ms: number): void | Promise<void>
}

/** Faults of the connection and the state. Each is optional; declare an absent one as a limit. */
export interface SuiteFaults {
  /** Makes the state unreachable: every member must reject with a `StoreError`. */
  down?(): void | Promise<void>
  /** Ends `down`. Required with it. */
  up?(): void | Promise<void>
  /** The next call is applied and its reply is lost: the call must reject with `applied: "maybe"`. */
  loseAnswer?(): void | Promise<void>
  /** Overwrites the stored record of a counter or a reservation with an invalid value, such as `{"spent":0.5}`. */
  damage?(record: { partition: string; kind: "counter" | "reservation"; key: string }): void | Promise<void>
  /** Closes the store and opens it again on the same state. Resolves to the new store. */
  restart?(): Promise<BudgetStore>
}

/** A store in another process. `connectStore` makes one of a child process. */
export interface StoreProcess {
  store: BudgetStore
  /** Kills the process, as `kill -9` does; resolves when it has ended. */
  kill(): Promise<void>
  /** Asks the process to end, and kills it if it does not. */
  close(): Promise<void>
}

/** A fresh, isolated store for one case, and the tools of the suite for it. */
export interface SuiteTarget {
  store: BudgetStore
  /** @defaultValue a name that no other case uses */
  partition?: string | undefined
  clock?: SuiteClock | undefined
  faults?: SuiteFaults | undefined
  /** Opens the same state in another process. */
  spawn?: (() => Promise<StoreProcess>) | undefined
  /**
   * Number of counters, reservations and adjustments in this partition, without usage entries; in the whole store if no
   * other case shares it.
   */
  size?: ((partition: string) => number | Promise<number>) | undefined
  /** How long the ledger keeps an entry, in milliseconds. Absent: until it is pruned. */
  ledgerRetentionMs?: number | undefined
  /** Called after the case, passed or failed. */
  close?: (() => void | Promise<void>) | undefined
}

/** The level and the title of one case. */
export interface SuiteCaseName {
  level: SuiteLevel
  title: string
}

/**
 * Makes one target per case; a database may be shared by several, since each case has its own partitions. Cases of the level `processes` run on real time: give them no injected clock, and a state
 * that other processes can open.
 */
export type SuiteFactory = (about: SuiteCaseName) => SuiteTarget | Promise<SuiteTarget>

export interface SuiteOptions {
  /** Heading of the suite. @defaultValue "budget store" */
  name?: string | undefined
  /**
   * Needs that the store or its factory cannot offer, each with the reason, which the report prints. Cases that need one
   * are "not claimed". A need that is neither offered nor declared here fails its cases, and so does a limit that the
   * store contradicts.
   */
  limits?: Partial<Record<SuiteNeed, string>> | undefined
  /** Which cases run. @defaultValue all of them */
  only?: ((one: SuiteCaseName) => boolean) | undefined
  /** Random programs of each fuzz case; use a few during development. @defaultValue 40 */
  fuzzRuns?: number | undefined
  /** First seed of the fuzz cases; run i uses seed + i. A failure prints the seed that repeats it with `fuzzRuns: 1`. @defaultValue 1 */
  seed?: number | undefined
  /** Maximum duration of one case in milliseconds; a longer one fails. @defaultValue 120000 */
  timeoutMs?: number | undefined
  /** Called after each case, for progress: a run takes minutes on a slow store. */
  onCase?: ((report: CaseReport) => void) | undefined
  /** Receives the report when every case has run. */
  onReport?: ((report: StoreReport) => void) | undefined
}
