import { defineStoreSuite, type SuiteFactory } from "@p2/budget/testing"
import { type PostgresServer, startPostgres } from "@p2/postgres-server"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { childScript } from "./support/child-script"
import { suiteFactory } from "./support/suite-target"

let server: PostgresServer
let script: Awaited<ReturnType<typeof childScript>>
let factory: SuiteFactory
beforeAll(async () => {
  server = await startPostgres()
  script = await childScript("serve")
  factory = suiteFactory(server, script.path)
})
afterAll(async () => {
  script.remove()
  await server.stop()
})

defineStoreSuite({ describe, it }, (about) => factory(about), {
  name: "postgresStore",
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
