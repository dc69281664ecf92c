import { startLocalProvider } from "@p2/local-provider"
import { afterAll, beforeEach } from "vitest"

/** The local provider with its own ledger: one per test file, with no faults or entries before each test. */
export const server = await startLocalProvider()

afterAll(() => server.close())
beforeEach(() => {
  server.faults.clear()
  server.ledger.clear()
})
