import { randomUUID } from "node:crypto"
import type { ServerResponse } from "node:http"
import type { Http2ServerResponse, ServerHttp2Stream } from "node:http2"
import type { Socket } from "node:net"
import { describe, expect, test } from "vitest"
import { SecondRequestError, type SendState, watchSend } from "../../src/transport/send-watch"
import {
  answer,
  type Behavior,
  type ConnectProxy,
  CountingServer,
  startConnectProxy,
  startTcpServer,
} from "./sending/counting-server"
import { createCertificate } from "./sending/self-signed"
import type { OpenTransport, Transport } from "./sending/transports"

const certificate = createCertificate()
interface Sent {
  id: string
  proof: "not-sent" | "maybe-sent"
  state: SendState
  error: unknown
  status: number | undefined
}

interface SendOptions {
  id?: string
  body?: string
  /** Aborts the call when this resolves. */
  abortAfter?: (() => Promise<unknown>) | undefined
}

async function send(transport: OpenTransport, url: string, options: SendOptions = {}): Promise<Sent> {
  const { id = randomUUID(), body = "{}" } = options
  const controller = new AbortController()
  const headers = new Headers({ "content-type": "application/json" })
  const watch = watchSend({ headers, id, onSecondRequest: () => controller.abort(new SecondRequestError()) })
  const init = { method: "POST", headers: Object.fromEntries(headers), body, signal: controller.signal }
  const running = transport.fetch(url, { ...init, redirect: "manual" })
  void options.abortAfter?.().then(() => controller.abort(new Error("The caller left.")))
  let error: unknown
  let status: number | undefined
  try {
    const response = await running
    status = response.status
    await response.text()
  } catch (thrown) {
    error = thrown
  }
  const sent = { id, proof: watch.proof(error), state: watch.state, error, status }
  watch.end()
  return sent
}

const soon = () => new Promise((resolve) => setTimeout(resolve, 20))

const hang: Behavior = { act: () => {} }
const hangAfterHeaders: Behavior = { after: "headers", act: () => {} }
const closeConnection: Behavior = { act: ({ server }) => server.dropConnections() }
const crash: Behavior = {
  act({ server }) {
    server.stopListening()
    server.dropConnections()
  },
}
const cutResponse: Behavior = {
  act({ response, server }) {
    const reply = response as ServerResponse
    reply.writeHead(200, { "content-type": "application/json" })
    reply.write("{", () => setTimeout(() => server.dropConnections(), 5))
  },
}
const goAway = (code: number, lastStreamId: number): Behavior => ({
  act: ({ response }) => (response as Http2ServerResponse).stream.session?.goaway(code, lastStreamId),
})
const refuseStream: Behavior = {
  act: ({ response }) => ((response as Http2ServerResponse).stream as ServerHttp2Stream).close(7),
}
const status = (code: number): Behavior => ({
  act: ({ response, server }) =>
    void response.writeHead(code, { location: `${server.url}/elsewhere`, "retry-after": "0" }).end("{}"),
})

/** What a case can use. */
interface Setting {
  transport: Transport
  open: OpenTransport
  server: CountingServer
  proxy: ConnectProxy
}

/** The course of a call, and what is proven if the transport reports its requests; undefined: either. */
interface Moment {
  name: string
  expected: "not-sent" | "maybe-sent" | undefined
  applies?: (transport: Transport) => boolean
  run(setting: Setting): Promise<Sent>
}

const isTls = ({ tls }: Transport) => tls
const isProxied = ({ proxied }: Transport) => proxied
const isHttp2 = ({ name }: Transport) => name.includes("HTTP/2")

/** How the server behaves; the caller may abort when the request has arrived. */
function whenRead(behavior: Behavior, options: { body?: string; abort?: boolean } = {}): Moment["run"] {
  return ({ open, server }) => {
    server.behavior = behavior
    const id = randomUUID()
    const abortAfter = options.abort ? () => server.arrival(id).then(soon) : undefined
    return send(open, server.url, { id, body: options.body ?? "{}", abortAfter })
  }
}

/** The address of a TCP server without HTTP. */
async function withTcpServer(
  setting: Setting,
  onConnection: (socket: Socket) => void,
  abortAfter?: () => Promise<unknown>,
): Promise<Sent> {
  const tcp = await startTcpServer(onConnection)
  try {
    return await send(setting.open, `${setting.transport.tls ? "https" : "http"}://127.0.0.1:${tcp.port}`, {
      abortAfter,
    })
  } finally {
    await tcp.close()
  }
}

const MEGABYTES = "x".repeat(16 * 1024 * 1024)

const MOMENTS: Moment[] = [
  {
    name: "aborted in the tick of the call",
    expected: undefined,
    // Undici 6 throws in the background when it drops a request that was aborted before its HTTP/2 connection was ready.
    applies: (transport) => !(isHttp2(transport) && transport.name.startsWith("undici6")),
    run: ({ open, server }) => send(open, server.url, { abortAfter: () => Promise.resolve() }),
  },
  {
    name: "connection refused",
    expected: "not-sent",
    run: ({ transport, open, server }) => {
      server.stopListening()
      // Undici reconnects to a proxy until the caller aborts.
      return send(open, server.url, { abortAfter: transport.proxied ? soon : undefined })
    },
  },
  {
    name: "host unknown, or aborted while it is looked up",
    expected: "not-sent",
    // The dns interceptor looks the host up before undici reports a request.
    applies: ({ name, proxied, tls }) => !proxied && !tls && !name.includes("interceptors"),
    run: ({ open }) => send(open, "http://host.invalid/v1", { abortAfter: soon }),
  },
  {
    name: "connection closed during TLS",
    expected: "not-sent",
    applies: isTls,
    run: (setting) => withTcpServer(setting, (socket) => socket.destroy()),
  },
  {
    name: "aborted during TLS",
    expected: "not-sent",
    applies: isTls,
    run: (setting) => withTcpServer(setting, () => {}, soon),
  },
  {
    name: "certificate not trusted",
    expected: "not-sent",
    applies: isTls,
    run: async ({ transport, server, proxy }) => {
      const other = transport.open({ ca: createCertificate().cert, proxyUrl: proxy.url })
      try {
        return await send(other, server.url)
      } finally {
        await other.close()
      }
    },
  },
  {
    name: "tunnel rejected by the proxy",
    expected: "not-sent",
    applies: isProxied,
    run: ({ open, server, proxy }) => {
      proxy.mode = "reject"
      return send(open, server.url)
    },
  },
  {
    name: "aborted while the proxy opens the tunnel",
    expected: "not-sent",
    applies: isProxied,
    run: ({ open, server, proxy }) => {
      proxy.mode = "silent"
      return send(open, server.url, { abortAfter: soon })
    },
  },
  {
    name: "aborted in the queue behind another call",
    expected: "not-sent",
    applies: ({ name }) => name.includes("one connection"),
    run: async ({ open, server }) => {
      server.behavior = hang
      const first = randomUUID()
      const controller = new AbortController()
      const running = send(open, server.url, { id: first, abortAfter: () => aborted(controller.signal) })
      await server.arrival(first)
      const second = await send(open, server.url, { abortAfter: soon })
      controller.abort()
      expect(await running).toMatchObject({ proof: "maybe-sent" })
      return second
    },
  },
  {
    name: "connection closed while it was idle",
    expected: undefined,
    run: async ({ open, server }) => {
      await send(open, server.url)
      server.dropConnections()
      return send(open, server.url)
    },
  },
  { name: "answered", expected: "maybe-sent", run: whenRead(answer) },
  {
    name: "headers read, then aborted",
    expected: "maybe-sent",
    run: whenRead(hangAfterHeaders, { body: MEGABYTES, abort: true }),
  },
  { name: "read, then aborted", expected: "maybe-sent", run: whenRead(hang, { abort: true }) },
  { name: "read, then the connection closed", expected: "maybe-sent", run: whenRead(closeConnection) },
  { name: "read, then the server gone", expected: "maybe-sent", run: whenRead(crash) },
  { name: "response cut", expected: "maybe-sent", run: whenRead(cutResponse) },
  { name: "read, then GOAWAY", expected: "maybe-sent", applies: isHttp2, run: whenRead(goAway(0, 0), { abort: true }) },
  { name: "read, then GOAWAY with an error", expected: "maybe-sent", applies: isHttp2, run: whenRead(goAway(11, 1)) },
  { name: "read, then REFUSED_STREAM", expected: "maybe-sent", applies: isHttp2, run: whenRead(refuseStream) },
  {
    name: "four at once, then the server gone",
    expected: "maybe-sent",
    applies: ({ name }) => !name.includes("Mock"),
    run: async ({ open, server }) => {
      server.behavior = hang
      const ids = Array.from({ length: 4 }, () => randomUUID())
      // A client may wait without end for a connection that was lost while it opened: then the caller leaves.
      const abortAfter = () => new Promise((resolve) => setTimeout(resolve, 10_000).unref())
      const running = ids.map((id) => send(open, server.url, { id, abortAfter }))
      await server.arrival(ids[0]!)
      await soon()
      server.stopListening()
      server.dropConnections()
      const all = await Promise.all(running)
      for (const { id, proof } of all) if (server.count(id) > 0) expect(proof).toBe("maybe-sent")
      return all[0]!
    },
  },
  ...[307, 401, 407, 421, 500, 503].map(
    (code): Moment => ({ name: `status ${code}`, expected: "maybe-sent", run: whenRead(status(code)) }),
  ),
]

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve()))
}

/** Every moment at which a call may end, with each transport. */
export function describeTransports(transports: readonly Transport[]): void {
  describe.each(transports)("$name", (transport) => {
    test.concurrent.each(MOMENTS.filter(({ applies }) => applies?.(transport) ?? true))("$name", async (moment) => {
      const server = await CountingServer.start(transport.tls ? certificate : undefined)
      const proxy = await startConnectProxy()
      const open = transport.open({ ca: certificate.cert, proxyUrl: proxy.url })
      try {
        const { id, proof } = await moment.run({ transport, open, server, proxy })
        // Requests that are still in transit would arrive now.
        await soon()
        const received = server.count(id)
        if (received > 0) expect(proof).toBe("maybe-sent")
        if (!transport.isReported) return expect(proof).toBe("maybe-sent")
        expect(received).toBeLessThanOrEqual(1)
        if (moment.expected !== undefined) expect(proof).toBe(moment.expected)
      } finally {
        await server.close()
        await proxy.close()
        await open.close()
      }
    })
  })
}
