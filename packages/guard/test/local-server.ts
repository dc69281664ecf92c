import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { afterAll, beforeEach } from "vitest"

/**
 * Starts the local provider with its own ledger for the calling test file, with no faults or entries before each test. It ends
 * with the file.
 */
export async function localServer(): Promise<LocalProvider> {
  const server = await startLocalProvider()
  afterAll(() => server.close())
  beforeEach(() => {
    server.faults.clear()
    server.ledger.clear()
  })
  return server
}
