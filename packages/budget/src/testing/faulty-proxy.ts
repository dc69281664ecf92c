import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net"
import { nextTurn } from "../store/batch-queue"

export interface TcpAddress {
  host: string
  port: number
}

export interface FaultyProxyOptions {
  /** The servers behind the proxy; several for a cluster. */
  targets: readonly TcpAddress[]
  /**
   * Whether bytes from the store contain the call whose reply `loseAnswer` loses. Return true only for calls that write: a
   * handshake or a lookup before the write has a reply as well.
   */
  isCall(sent: Uint8Array): boolean
  /**
   * Whether bytes from the server mean that the call was not applied and will be sent again, such as `NOSCRIPT` or
   * `MOVED` of Redis. @defaultValue never
   */
  isRejection?: ((received: Uint8Array) => boolean) | undefined
}

/** Stands between a store and its servers, and breaks the connection on demand. */
export interface FaultyProxy {
  /** Where the store connects to, in the order of `targets`. */
  readonly addresses: readonly TcpAddress[]
  /** Breaks every connection and accepts no new one. Resolves after the store has received the event. */
  down(): Promise<void>
  /** Accepts connections again. */
  up(): void
  /** The server applies the next call, and the connection breaks before its reply arrives. */
  loseAnswer(): void
  /** Breaks every connection and frees the ports. */
  close(): Promise<void>
}

/**
 * A TCP proxy that gives `faults.down`, `faults.up` and `faults.loseAnswer` to the store of any database behind a
 * network connection.
 *
 * ```ts
 * const proxy = await createFaultyProxy({
 *   targets: [{ host: "127.0.0.1", port: 5432 }],
 *   isCall: (sent) => Buffer.from(sent).includes("COMMIT"),
 * })
 * const store = openStore(proxy.addresses[0])
 * return { store, faults: { down: proxy.down, up: proxy.up, loseAnswer: proxy.loseAnswer }, close: proxy.close }
 * ```
 */
export async function createFaultyProxy(options: FaultyProxyOptions): Promise<FaultyProxy> {
  const sockets = new Set<Socket>()
  const state = { isDown: false, losesAnswer: false }
  const servers = await Promise.all(options.targets.map((target) => listen(target, options, sockets, state)))
  const breakConnections = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    addresses: servers.map((server) => ({ host: "127.0.0.1", port: (server.address() as AddressInfo).port })),
    down: async () => {
      state.isDown = true
      breakConnections()
      // The store gets the event in a later turn of its event loop, as it does without a proxy.
      await nextTurn()
    },
    up: () => {
      state.isDown = false
    },
    loseAnswer: () => {
      state.losesAnswer = true
    },
    close: async () => {
      breakConnections()
      await Promise.all(servers.map((server) => once(server.close(), "close")))
    },
  }
}

/** A server on a free port that forwards connections to `target`. */
async function listen(
  target: TcpAddress,
  { isCall, isRejection }: FaultyProxyOptions,
  sockets: Set<Socket>,
  state: { isDown: boolean; losesAnswer: boolean },
): Promise<Server> {
  const server = createServer({ noDelay: true }, (client) => {
    if (state.isDown) return client.destroy()
    const upstream = connect({ ...target, noDelay: true })
    let sentCall = false
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
      sentCall ||= state.losesAnswer && isCall(chunk)
      upstream.write(chunk)
    })
    upstream.on("data", (chunk) => {
      if (!sentCall || !state.losesAnswer) return client.write(chunk)
      if (isRejection?.(chunk)) {
        sentCall = false
        return client.write(chunk)
      }
      state.losesAnswer = false
      end()
    })
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return server
}
