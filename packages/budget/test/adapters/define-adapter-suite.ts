import { describe, expect, it } from "vitest"
import { defineStoreSuite, type SuiteFactory, type SuiteOptions } from "../../src/testing"

// The machine that runs the tests may be busy.
const options: SuiteOptions = {
  timeoutMs: 600_000,
  limits: { ledgerRetention: "entries are kept until they are pruned" },
}

/** Defines the whole suite for a store that several processes share; each level must pass. For slow tests. */
export function defineAdapterSuite(name: string, factory: SuiteFactory): void {
  defineStoreSuite({ describe, it }, factory, {
    ...options,
    name,
    onReport: (report) => {
      const levels = ["contract", "concurrency", "leases", "time", "idempotency", "faults", "processes", "ledger"]
      expect(report.levels.map(({ level, status }) => `${level}: ${status}`)).toEqual(
        levels.map((level) => `${level}: passed`),
      )
    },
  })
}

/** What depends on the database. The other rules are those of `createStore`, which is tested on a storage in memory. */
const OF_THE_DATABASE = new Set(["concurrency", "faults", "processes", "ledger"])

/** Defines the part of the suite that depends on the database, and some random programs, which use every operation. */
export function defineDatabaseSuite(name: string, factory: SuiteFactory): void {
  defineStoreSuite({ describe, it }, factory, {
    ...options,
    name,
    fuzzRuns: 5,
    only: ({ level, title }) => OF_THE_DATABASE.has(level) || title.startsWith("random programs"),
    onReport: ({ ok, levels }) => {
      expect(ok).toBe(true)
      const passed = levels.filter(({ level }) => OF_THE_DATABASE.has(level)).map(({ status }) => status)
      expect(passed).toEqual(["passed", "passed", "passed", "passed"])
    },
  })
}
