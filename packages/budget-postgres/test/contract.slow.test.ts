import type { SuiteFactory } from "@p2/budget/testing"
import { type PostgresServer, startPostgres } from "@p2/postgres-server"
import { afterAll, beforeAll } from "vitest"
import { childScript } from "../../budget/test/adapters/child-script"
import { defineAdapterFuzz } from "../../budget/test/adapters/define-adapter-suite"
import { suiteFactory } from "./support/suite-target"

let server: PostgresServer
let script: Awaited<ReturnType<typeof childScript>>
let factory: SuiteFactory
beforeAll(async () => {
  server = await startPostgres()
  script = await childScript(new URL("./support/serve.ts", import.meta.url))
  factory = suiteFactory(server, script.path)
})
afterAll(async () => {
  script.remove()
  await server.stop()
})

defineAdapterFuzz("postgresStore", (about) => factory(about))
