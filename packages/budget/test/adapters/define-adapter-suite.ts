import { describe, expect, it } from "vitest"
import { defineStoreSuite, type SuiteFactory } from "../../src/testing"

/** Defines the whole suite for a store that several processes share; each level must pass. */
export function defineAdapterSuite(name: string, factory: SuiteFactory): void {
  defineStoreSuite({ describe, it }, factory, {
    name,
    limits: { ledgerRetention: "entries are kept until they are pruned" },
    // The machine that runs the tests may be busy.
    timeoutMs: 600_000,
    onReport: (report) => {
      const levels = ["contract", "concurrency", "leases", "time", "idempotency", "faults", "processes", "ledger"]
      expect(report.levels.map(({ level, status }) => `${level}: ${status}`)).toEqual(
        levels.map((level) => `${level}: passed`),
      )
    },
  })
}
