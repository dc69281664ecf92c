import { createServer } from "node:net"

/**
 * A port of 127.0.0.1 that is free now. With `bus`, the port 10,000 above it, on which the nodes of a cluster talk,
 * is free as well.
 */
export async function freePort(options: { bus?: boolean } = {}): Promise<number> {
  for (let tries = 0; tries < 200; tries++) {
    const port = await listenOnce(0)
    if (port === undefined) continue
    if (options.bus !== true) return port
    if (port + 10_000 <= 65_535 && (await listenOnce(port + 10_000)) !== undefined) return port
  }
  throw new Error("No free port was found on 127.0.0.1.")
}

function listenOnce(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.on("error", () => resolve(undefined))
    server.listen(port, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" ? address?.port : undefined))
    })
  })
}
