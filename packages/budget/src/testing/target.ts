import type { BudgetStore } from "../store"
import type { StoreReport } from "./report"

/** What a store may claim, level by level. */
export type SuiteLevel = "contract" | "concurrency" | "leases" | "idempotency" | "faults" | "processes" | "ledger"

/** The levels, in the order in which they run and are reported. */
export const SUITE_LEVELS: readonly SuiteLevel[] = [
  "contract",
  "concurrency",
  "leases",
  "idempotency",
  "faults",
  "processes",
  "ledger",
]

/** Something that a case needs from the target besides the store itself. */
export type SuiteNeed =
  | "clock"
  | "size"
  | "ledger"
  | "ledgerRetention"
  | "processes"
  | "down"
  | "loseAnswer"
  | "damage"
  | "restart"

/** The needs by name; a limit is declared under one of them. */
export const SUITE_NEEDS: readonly SuiteNeed[] = [
  "clock",
  "size",
  "ledger",
  "ledgerRetention",
  "processes",
  "down",
  "loseAnswer",
  "damage",
  "restart",
]

/** The store's time, under the suite's control. */
export interface SuiteClock {
  /** Epoch milliseconds that the store sees. */
  now(): number
  /** Moves time forward. Whatever the store would have forgotten by itself in that time is gone when this resolves. */
  advance(ms: number): void | Promise<void>
}

/** Ways to break what lies between the suite and the state. Each is optional; what is absent must be declared as a limit. */
export interface SuiteFaults {
  /** From here on nothing reaches the state: every member must reject with a `StoreError`. */
  down?(): void | Promise<void>
  /** Ends `down`. Must be there when `down` is. */
  up?(): void | Promise<void>
  /** The next call is applied, and its answer is lost: it must reject with `applied: "maybe"`. */
  loseAnswer?(): void | Promise<void>
  /** Overwrites what is stored of this cell with something that makes no sense. */
  damage?(about: { root: string; key: string }): void | Promise<void>
  /** Ends the store and opens it again on the same state. Resolves to the store to use from here on. */
  restart?(): Promise<BudgetStore>
}

/** A store in another process. `connectStore` makes one out of a child process. */
export interface StoreProcess {
  store: BudgetStore
  /** Ends the process at once, as `kill -9` does; resolves when it is gone. */
  kill(): Promise<void>
  /** Ends the process in its own time. */
  close(): Promise<void>
}

/** A fresh, isolated store for one case, and what the suite may do to it. */
export interface SuiteTarget {
  store: BudgetStore
  /** @defaultValue a name that no other case uses */
  root?: string | undefined
  clock?: SuiteClock | undefined
  faults?: SuiteFaults | undefined
  /** Opens the same state in another process. */
  spawn?: (() => Promise<StoreProcess>) | undefined
  /** How many records (cells, ids, adjustments; not usage entries) the store holds now. */
  size?: (() => number | Promise<number>) | undefined
  /** How long the ledger keeps an entry. Absent: until it is pruned. */
  ledgerRetentionMs?: number | undefined
  /** Called when the case is over, passed or not. */
  close?: (() => void | Promise<void>) | undefined
}

/** What the suite tells the factory about the case that a target is for. */
export interface SuiteCaseName {
  level: SuiteLevel
  name: string
}

/**
 * Makes one target per case. Cases of level `processes` run on real time: give them no injected clock, and a state that
 * other processes can open.
 */
export type SuiteFactory = (about: SuiteCaseName) => SuiteTarget | Promise<SuiteTarget>

export interface SuiteOptions {
  /** Heading of the suite. @defaultValue "budget store" */
  name?: string | undefined
  /**
   * What the store or its factory cannot show, each with the reason, which the report prints. Cases that need it are
   * "not claimed". A need that is neither offered nor declared here fails its cases, and so does a limit that the store
   * contradicts. A name that is no need is a mistake.
   */
  limits?: Partial<Record<SuiteNeed, string>> | undefined
  /** Most random programs of each fuzz case. @defaultValue 40 */
  fuzzRuns?: number | undefined
  /** First seed of the fuzz cases; run i uses seed + i. A failure prints the seed that replays it with `fuzzRuns: 1`. @defaultValue 1 */
  seed?: number | undefined
  /** Handed to the runner with each case, as the third argument of `it`, where it heeds one. @defaultValue 120000 */
  timeoutMs?: number | undefined
  /** Receives the report when every case has run. */
  onReport?: ((report: StoreReport) => void) | undefined
}
