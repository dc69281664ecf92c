import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from "node:http2"
import { type AddressInfo, connect, createServer as createTcpServer, type Server, type Socket } from "node:net"
import type { Certificate } from "./self-signed"

export type ServerRequest = IncomingMessage | Http2ServerRequest
export type ServerReply = ServerResponse | Http2ServerResponse

/** What a server does with a request. */
export interface Behavior {
  /** @defaultValue "body": after the whole body; "headers": as soon as the headers have arrived. */
  after?: "headers" | "body"
  act(exchange: { request: ServerRequest; response: ServerReply; server: CountingServer }): void
}

/** Answers each request. */
export const answer: Behavior = { act: ({ response }) => void response.end("{}") }

/** A server that counts the requests that it has read, by their id. */
export class CountingServer {
  readonly #server: Server
  /** For example `http://127.0.0.1:4000/v1`. */
  url = ""
  readonly #sockets = new Set<Socket>()
  readonly #counts = new Map<string, number>()
  #waiting: { id: string; resolve: () => void }[] = []
  behavior: Behavior = answer

  private constructor(certificate: Certificate | undefined) {
    const onRequest = (request: ServerRequest, response: ServerReply) => this.#onRequest(request, response)
    this.#server =
      certificate === undefined
        ? createServer(onRequest)
        : createSecureServer({ ...certificate, allowHTTP1: true }, onRequest)
    for (const event of ["connection", "secureConnection"])
      this.#server.on(event, (socket: Socket) => this.#sockets.add(socket.on("error", () => {})))
    this.#server.on("sessionError", () => {})
  }

  /** HTTP/1.1 without a certificate; HTTP/1.1 or HTTP/2 over TLS with one. */
  static async start(certificate?: Certificate): Promise<CountingServer> {
    const server = new CountingServer(certificate)
    const port = await listen(server.#server)
    server.url = `${certificate === undefined ? "http" : "https"}://127.0.0.1:${port}/v1`
    return server
  }

  /** The number of requests with this id that have arrived. */
  count(id: string): number {
    return this.#counts.get(id) ?? 0
  }

  /** Resolves when a request with this id has arrived. */
  arrival(id: string): Promise<void> {
    if (this.count(id) > 0) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push({ id, resolve }))
  }

  /** Closes every connection, as a crashing process does. */
  dropConnections(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#sockets.clear()
  }

  /** Refuses all further connections. */
  stopListening(): void {
    this.#server.close()
  }

  close(): Promise<void> {
    return closeServer(this.#server, this.#sockets)
  }

  #onRequest(request: ServerRequest, response: ServerReply): void {
    const id = String(request.headers["x-client-request-id"])
    this.#counts.set(id, this.count(id) + 1)
    for (const each of this.#waiting) if (each.id === id) each.resolve()
    this.#waiting = this.#waiting.filter((each) => each.id !== id)
    request.on("error", () => {})
    response.on("error", () => {})
    const act = () => this.behavior.act({ request, response, server: this })
    if (this.behavior.after === "headers") act()
    else request.resume().on("end", act)
  }
}

/** A proxy that opens tunnels by CONNECT. */
export interface ConnectProxy {
  url: string
  /** What it does with a CONNECT. */
  mode: "tunnel" | "reject" | "silent"
  close(): Promise<void>
}

export async function startConnectProxy(): Promise<ConnectProxy> {
  const sockets = new Set<Socket>()
  const server = createServer((_, response) => response.writeHead(501).end())
  server.on("connection", (socket: Socket) => sockets.add(socket.on("error", () => {})))
  server.on("connect", (request: IncomingMessage, client: Socket) => {
    if (proxy.mode === "silent") return
    if (proxy.mode === "reject") return void client.end("HTTP/1.1 502 Bad Gateway\r\n\r\n")
    const [host = "", port] = String(request.url).split(":")
    const upstream = connect(Number(port), host, () => {
      client.write("HTTP/1.1 200 Connection Established\r\n\r\n")
      upstream.pipe(client).pipe(upstream)
    })
    sockets.add(upstream)
    upstream.on("error", () => client.destroy())
    client.on("close", () => upstream.destroy())
    upstream.on("close", () => client.destroy())
  })
  const port = await listen(server)
  const proxy: ConnectProxy = {
    url: `http://127.0.0.1:${port}`,
    mode: "tunnel",
    close: () => closeServer(server, sockets),
  }
  return proxy
}

/** A TCP server that accepts connections and does `onConnection`, without HTTP. */
export async function startTcpServer(onConnection: (socket: Socket) => void) {
  const sockets = new Set<Socket>()
  const server = createTcpServer((socket) => {
    sockets.add(socket.on("error", () => {}))
    onConnection(socket)
  })
  const port = await listen(server)
  return {
    port,
    close: () => closeServer(server, sockets),
  }
}

async function closeServer(server: Server, sockets: Set<Socket>): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve))
  for (const socket of sockets) socket.destroy()
  await closed
}

/** Listens on a free port and returns it. */
function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject)
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port))
  })
}
