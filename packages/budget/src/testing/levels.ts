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
