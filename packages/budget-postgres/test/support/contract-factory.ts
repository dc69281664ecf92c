import type { SuiteFactory } from "@p2/budget/testing"
import { type PostgresServer, startPostgres } from "@p2/postgres-server"
import { afterAll, beforeAll } from "vitest"
import { childScript } from "../../../budget/test/adapters/child-script"
import { suiteFactory } from "./suite-target"

/** Starts a server for the calling test file, and makes the targets of the suite on it. */
export function contractFactory(): SuiteFactory {
  let server: PostgresServer
  let script: Awaited<ReturnType<typeof childScript>>
  let factory: SuiteFactory
  beforeAll(async () => {
    server = await startPostgres()
    script = await childScript(new URL("./serve.ts", import.meta.url))
    factory = suiteFactory(server, script.path)
  })
  afterAll(async () => {
    script.remove()
    await server.stop()
  })
  return (about) => factory(about)
}
