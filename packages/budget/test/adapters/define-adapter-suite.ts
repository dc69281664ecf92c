import { describe, expect, it } from "vitest"
import { defineStoreSuite, type SuiteFactory } from "../../src/testing"

// The machine that runs the tests may be busy.
const timeoutMs = 600_000
const limits = { ledgerRetention: "entries are kept until they are pruned" }
const FAST_RUNS = 5

/** Defines the whole suite for a store that several processes share; each level must pass. */
export function defineAdapterSuite(name: string, factory: SuiteFactory): void {
  defineStoreSuite({ describe, it }, factory, {
    name,
    limits,
    timeoutMs,
    fuzzRuns: FAST_RUNS,
    onReport: (report) => {
      const levels = ["contract", "concurrency", "leases", "time", "idempotency", "faults", "processes", "ledger"]
      expect(report.levels.map(({ level, status }) => `${level}: ${status}`)).toEqual(
        levels.map((level) => `${level}: passed`),
      )
    },
  })
}

/** For a slow test: the suite's random programs that `defineAdapterSuite` does not run. */
export function defineAdapterFuzz(name: string, factory: SuiteFactory): void {
  defineStoreSuite({ describe, it }, factory, {
    name,
    limits,
    timeoutMs,
    seed: 1 + FAST_RUNS,
    fuzzRuns: 40 - FAST_RUNS,
    only: ({ title }) => title.startsWith("random programs"),
    onReport: ({ ok }) => expect(ok).toBe(true),
  })
}
