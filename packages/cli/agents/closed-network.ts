import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

/** A network proxy that rejects every connection and records the requested hosts. */
export interface ClosedNetwork {
  url: string
  readonly hosts: readonly string[]
  close(): Promise<void>
}

export async function startClosedNetwork(): Promise<ClosedNetwork> {
  const hosts = new Set<string>()
  const server = createServer((request, response) => {
    hosts.add(new URL(request.url ?? "/", "http://unknown").host)
    response.writeHead(403).end()
  })
  server.on("connect", ({ url = "" }, socket) => {
    socket.on("error", () => {})
    hosts.add(url)
    socket.end("HTTP/1.1 403 Forbidden\r\n\r\n")
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get hosts() {
      return [...hosts]
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
