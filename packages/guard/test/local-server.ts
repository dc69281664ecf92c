import { startLocalProvider } from "@p2/local-provider"
import { afterAll, beforeEach } from "vitest"

/** An imitation of the providers with a ledger of its own: one for each test file, without faults and entries before each test. */
export const server = await startLocalProvider()

afterAll(() => server.close())
beforeEach(() => {
  server.faults.clear()
  server.ledger.clear()
})
