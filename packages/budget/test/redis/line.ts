import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"

/** Stands between a store and its server, and can be cut. */
export interface Line {
  readonly host: string
  readonly port: number
  /** Breaks every connection and takes no new one. */
  down(): Promise<void>
  up(): void
  /** The next script is run, and the connection breaks before its answer arrives. */
  loseAnswer(onLost?: () => void): void
  /** Takes `loseAnswer` back. */
  keepAnswers(): void
  close(): Promise<void>
}

export async function startLine(target: { host: string; port: number }): Promise<Line> {
  const sockets = new Set<Socket>()
  let isDown = false
  let armed = false
  let lost: (() => void) | undefined
  const server = createServer((client) => {
    if (isDown) return client.destroy()
    const upstream = connect(target.port, target.host)
    upstream.setNoDelay(true)
    client.setNoDelay(true)
    let waits = false
    const end = () => {
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on("error", end)
      socket.on("close", () => {
        sockets.delete(socket)
        end()
      })
    }
    client.on("data", (chunk) => {
      if (armed && /\r\neval(?:sha)?\r\n/i.test(chunk.toString("latin1"))) waits = true
      upstream.write(chunk)
    })
    upstream.on("data", (chunk) => {
      // A script that the server does not have, or that belongs to another, was not run: it comes again.
      if (waits && !/^-(?:NOSCRIPT|MOVED)/.test(chunk.toString("latin1"))) {
        armed = false
        lost?.()
        return end()
      }
      client.write(chunk)
    })
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const breakAll = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    host: "127.0.0.1",
    port: (server.address() as AddressInfo).port,
    down: async () => {
      isDown = true
      breakAll()
      // The store learns of the broken connection in a later turn of its loop, as it would anywhere.
      await new Promise((resolve) => setImmediate(resolve))
    },
    up: () => {
      isDown = false
    },
    loseAnswer: (onLost) => {
      armed = true
      lost = onLost
    },
    keepAnswers: () => {
      armed = false
    },
    close: async () => {
      breakAll()
      server.close()
      await once(server, "close")
    },
  }
}
