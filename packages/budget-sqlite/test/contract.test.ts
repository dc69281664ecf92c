import { defineStoreSuite } from "@p2/budget/testing"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { childScript } from "./support/child-script"
import { suiteTarget } from "./support/suite-target"

let script: Awaited<ReturnType<typeof childScript>>
beforeAll(async () => {
  script = await childScript("serve")
})
afterAll(() => script.remove())

defineStoreSuite({ describe, it }, (about) => suiteTarget(about, script.path), {
  name: "sqliteStore",
  limits: { ledgerRetention: "entries are kept until they are pruned" },
  onReport: (report) => {
    expect(report.levels.map(({ level, status }) => `${level}: ${status}`)).toEqual([
      "contract: passed",
      "concurrency: passed",
      "leases: passed",
      "time: passed",
      "idempotency: passed",
      "faults: passed",
      "processes: passed",
      "ledger: passed",
    ])
  },
})
