import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { afterAll, beforeEach } from "vitest"

/**
 * Starts an imitation of the providers with a ledger of its own for the calling test file, without faults and entries before
 * each test. It ends with the file.
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
