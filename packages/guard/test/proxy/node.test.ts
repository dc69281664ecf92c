import { once } from "node:events"
import { request as httpRequest, type IncomingMessage } from "node:http"
import { connect, type Socket } from "node:net"
import { gzipSync } from "node:zlib"
import { createBudget, memoryStore } from "@p2/budget"
import { type Exchange, type MockServer, refusedURL, startMockServer } from "@p2/local-provider"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest"
import type { GuardAttempt } from "../../src/index"
import { acceptToken, createProxy, type ProxyOptions } from "../../src/proxy"
import { type ProxyServer, type ServeOptions, serveProxy } from "../../src/proxy/node"
import { CALL, COMPLETION, COST, EVENTS } from "../fetch/guarded-server"

const TOKEN = "token-0123456789abcdef"
const CHAT = "/openai/v1/chat/completions"

let upstream: MockServer
const servers: ProxyServer[] = []
const sockets: Socket[] = []
beforeAll(async () => {
  upstream = await startMockServer()
})
afterAll(() => upstream.close())
beforeEach(() => upstream.answer(({ sendJson }) => sendJson(200, COMPLETION)))
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

async function serve(options: Partial<ProxyOptions> = {}, serveOptions: ServeOptions = {}) {
  const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: "1.00" }] })
  const attempts: GuardAttempt[] = []
  const proxy = createProxy({
    budget,
    upstreams: { openai: { baseURL: upstream.baseURL, apiKey: "key" } },
    authenticate: acceptToken(TOKEN),
    onAttempt: (attempt) => attempts.push(attempt),
    ...options,
  })
  const server = await serveProxy(proxy, serveOptions)
  servers.push(server)
  const balance = async () => {
    const [status] = await budget.status()
    return { spent: status!.spentNanoUsd!, reserved: status!.reservedNanoUsd! }
  }
  return { server, attempts, balance }
}

/** A request with the headers of a call. */
function post({ url }: ProxyServer, body: string | object = CALL, init: RequestInit = {}): Promise<Response> {
  const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" }
  return fetch(url + CHAT, {
    method: "POST",
    headers,
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...init,
  })
}

/** Sends bytes on a separate connection, and returns what the server wrote until it closed the connection. */
async function raw({ host }: ProxyServer, text: string): Promise<string> {
  const socket = open(host)
  let received = ""
  socket.on("data", (data) => {
    received += data
  })
  socket.write(text)
  await once(socket, "close")
  return received
}

function open(host: string): Socket {
  const [hostname, port] = host.split(":")
  const socket = connect(Number(port), hostname).on("error", () => {})
  sockets.push(socket)
  return socket
}

const head = (lines: string[]) => `${lines.join("\r\n")}\r\n\r\n`
const START = [`POST ${CHAT} HTTP/1.1`, "Host: 127.0.0.1", `Authorization: Bearer ${TOKEN}`]

describe("responses", () => {
  it("of a call have their length and their cost", async () => {
    const { server, balance } = await serve()
    const response = await post(server)
    const text = await response.text()
    expect(JSON.parse(text)).toEqual(COMPLETION)
    expect(response.headers.get("content-length")).toBe(`${text.length}`)
    expect(response.headers.get("x-p2-cost-usd")).toBe("0.000009")
    expect(response.headers.get("x-p2-remaining-usd")).toBe("0.999991")
    expect(await balance()).toEqual({ spent: COST, reserved: 0 })
  })

  it("that were encoded have the length of the decoded body", async () => {
    const body = JSON.stringify(COMPLETION)
    upstream.answer(({ response }) => {
      const headers = { "content-type": "application/json", "content-encoding": "gzip" }
      response.writeHead(200, headers).end(gzipSync(body))
    })
    const { server } = await serve()
    const response = await post(server, CALL)
    expect(response.headers.get("content-encoding")).toBeNull()
    expect(response.headers.get("content-length")).toBe(`${body.length}`)
    expect(await response.text()).toBe(body)
  })

  it("of a stream arrive as they are written", async () => {
    const exchanges: Exchange[] = []
    upstream.answer((exchange) => {
      exchange.response.writeHead(200, { "content-type": "text/event-stream" }).write(EVENTS[0])
      exchanges.push(exchange)
    })
    const { server, balance } = await serve()
    const response = await post(server, { ...CALL, stream: true, stream_options: { include_usage: true } })
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    expect((await reader.read()).value).toBe(EVENTS[0])
    exchanges[0]!.response.end(EVENTS.slice(1).join(""))
    let rest = ""
    for (let part = await reader.read(); !part.done; part = await reader.read()) rest += part.value
    expect(rest).toBe(EVENTS.slice(1).join(""))
    expect(await balance()).toEqual({ spent: COST, reserved: 0 })
  })

  it("without a body have none", async () => {
    upstream.answer(({ response }) => void response.writeHead(204).end())
    const { server } = await serve()
    expect((await fetch(server.url, { method: "HEAD" })).status).toBe(200)
    const response = await fetch(`${server.url}/openai/v1/models/ft`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${TOKEN}` },
    })
    expect([response.status, await response.text()]).toEqual([204, ""])
  })

  it("of an upstream that cannot be reached cost nothing", async () => {
    const url = await refusedURL()
    const { server, attempts, balance } = await serve({
      upstreams: { openai: { baseURL: `${url}/v1`, apiKey: "key" } },
    })
    const response = await post(server)
    expect(response.status).toBe(502)
    expect(await response.text()).not.toContain(new URL(url).port)
    expect(attempts).toMatchObject([{ status: "released", costNanoUsd: 0 }])
    expect(await balance()).toEqual({ spent: 0, reserved: 0 })
  })

  it("that break also break for their reader", async () => {
    upstream.answer(({ response }) => {
      response.writeHead(200, { "content-type": "text/event-stream" }).write(EVENTS[0])
      setImmediate(() => response.destroy())
    })
    const { server, attempts } = await serve()
    await expect(post(server, { ...CALL, stream: true }).then((response) => response.text())).rejects.toThrow()
    await vi.waitFor(() => expect(attempts).toMatchObject([{ inDoubt: true }]), 60_000)
  })
})

describe("a caller that disconnects", () => {
  it.each(["before the response", "within a stream"])("%s settles its call", async (when) => {
    const received: IncomingMessage[] = []
    upstream.answer(({ request, response }) => {
      received.push(request)
      if (when === "within a stream") response.writeHead(200, { "content-type": "text/event-stream" }).write(EVENTS[0])
    })
    const { server, attempts, balance } = await serve()
    const body = JSON.stringify({ ...CALL, stream: true })
    const socket = open(server.host)
    socket.write(head([...START, `Content-Length: ${body.length}`]) + body)
    await vi.waitFor(() => expect(received).toHaveLength(1), 60_000)
    if (when === "within a stream") await once(socket, "data")
    const closed = once(received[0]!.socket, "close")
    socket.destroy()
    await vi.waitFor(() => expect(attempts).toMatchObject([{ status: "failed", inDoubt: true }]), 60_000)
    expect((await balance()).reserved).toBe(0)
    await closed
    await vi.waitFor(() => expect(server.pending).toBe(0), 60_000)
  })

  it("within its request reserves nothing", async () => {
    const { server, attempts, balance } = await serve()
    const socket = open(server.host)
    socket.write(`${head([...START, "Content-Length: 1000"])}{"model"`)
    await vi.waitFor(() => expect(server.pending).toBe(1), 60_000)
    socket.destroy()
    await vi.waitFor(() => expect(server.pending).toBe(0), 60_000)
    expect([attempts, upstream.bodies]).toEqual([[], []])
    expect(await balance()).toEqual({ spent: 0, reserved: 0 })
  })
})

describe("a request that could be read in two ways", () => {
  const body = JSON.stringify(CALL)
  const length = `Content-Length: ${body.length}`
  const chunked = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
  it.each([
    ["two lengths", head([...START, length, `Content-Length: ${body.length - 5}`]) + body],
    ["a length twice", head([...START, length, length]) + body],
    ["a list of lengths", head([...START, `${length}, 5`]) + body],
    ["a length and chunks", head([...START, length, "Transfer-Encoding: chunked"]) + chunked],
    ["chunks and a length", head([...START, "Transfer-Encoding: chunked", length]) + chunked],
    ["chunks that are not last", head([...START, "Transfer-Encoding: chunked, identity"]) + chunked],
    ["an unknown encoding", head([...START, "Transfer-Encoding: xchunked"]) + chunked],
    ["a space before the colon", head([...START, "Transfer-Encoding : chunked", length]) + chunked],
    ["a header on two lines", head([...START, "Transfer-Encoding:\r\n chunked", length]) + chunked],
    ["a line feed alone", head([...START, `X: 1\n${length}`]) + body],
    ["a negative length", head([...START, "Content-Length: -1"]) + body],
    ["a chunk of a wrong size", `${head([...START, "Transfer-Encoding: chunked"])}5x\r\n${body}\r\n0\r\n\r\n`],
    ["no host", head([START[0]!, START[2]!, length]) + body],
    ["the URL of another host", head([`POST http://evil.test${CHAT} HTTP/1.1`, ...START.slice(1), length]) + body],
  ])("with %s is rejected", async (_name, text) => {
    const { server, attempts } = await serve()
    expect(await raw(server, text)).toMatch(/^HTTP\/1\.1 400 /)
    expect([attempts, upstream.bodies]).toEqual([[], []])
  })

  it("in chunks is read once", async () => {
    const { server } = await serve()
    const text = head([...START, "Connection: close", "Transfer-Encoding: chunked"]) + chunked
    expect(await raw(server, text)).toMatch(/^HTTP\/1\.1 200 /)
    expect(upstream.bodies).toEqual([CALL])
  })
})

describe("limits", () => {
  it("of a body: status 413, without reading the rest", async () => {
    const { server, attempts } = await serve({ maxBodyBytes: 10_000 })
    const declared = await raw(server, `${head([...START, "Content-Length: 1000000"])}{`)
    expect(declared).toMatch(/^HTTP\/1\.1 413 /)
    expect(declared.toLowerCase()).toContain("connection: close")
    const chunk = `4000\r\n${"x".repeat(0x4000)}\r\n`
    const answer = await raw(server, head([...START, "Transfer-Encoding: chunked"]) + chunk)
    expect(answer).toMatch(/^HTTP\/1\.1 413 /)
    expect([attempts, upstream.bodies]).toEqual([[], []])
  })

  it("of headers: status 431", async () => {
    const { server } = await serve({}, { maxHeaderBytes: 4_096 })
    expect(await raw(server, head([...START, `X: ${"x".repeat(8_000)}`]))).toMatch(/^HTTP\/1\.1 431 /)
  })

  it.each([
    ["headers", START.join("\r\n")],
    ["bodies", `${head([...START, "Content-Length: 100"])}{`],
  ])("of the time of %s: status 408", async (_name, text) => {
    const { server, balance } = await serve({}, { requestTimeoutMs: 300 })
    expect(await raw(server, text)).toMatch(/^HTTP\/1\.1 408 /)
    expect(await balance()).toEqual({ spent: 0, reserved: 0 })
  })

  it.each([
    [{ requestTimeoutMs: 0 }, "requestTimeoutMs"],
    [{ maxHeaderBytes: 1.5 }, "maxHeaderBytes"],
    [{ host: "0.0.0.0" }, "hostname"],
  ])("are validated: %o", async (options, name) => {
    await expect(serve({}, options as ServeOptions)).rejects.toThrow(name)
  })
})

describe("upgrades", () => {
  it("get status 426 in a handshake", async () => {
    const { server } = await serve()
    const handshake = [
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: eA==",
    ]
    const answer = await raw(server, head(["GET /openai/v1/responses HTTP/1.1", ...START.slice(1), ...handshake]))
    expect(answer).toMatch(/^HTTP\/1\.1 426 Upgrade Required\r\nUpgrade: HTTP\/1\.1\r\n/)
  })

  it("get status 426 as a WebSocket of Node", async () => {
    const { server } = await serve()
    const headers = { connection: "upgrade", upgrade: "websocket" }
    const sent = httpRequest(`${server.url}/openai/v1/responses`, { headers }).end()
    const [response] = (await once(sent, "response")) as [IncomingMessage]
    expect(response.statusCode).toBe(426)
    response.resume()
  })

  it("to tunnels are closed", async () => {
    const { server } = await serve()
    expect(await raw(server, head(["CONNECT api.openai.com:443 HTTP/1.1", "Host: api.openai.com:443"]))).toBe("")
  })
})

describe("close", () => {
  it("waits for open requests", async () => {
    const exchanges: Exchange[] = []
    upstream.answer((exchange) => void exchanges.push(exchange))
    const { server, balance } = await serve()
    const answer = post(server)
    await vi.waitFor(() => expect(exchanges).toHaveLength(1), 60_000)
    const closing = server.close({ graceMs: 60_000 })
    await expect(post(server)).rejects.toThrow()
    exchanges[0]!.sendJson(200, COMPLETION)
    expect((await answer).status).toBe(200)
    await closing
    expect(await balance()).toEqual({ spent: COST, reserved: 0 })
  })

  it("ends requests that take too long, and settles them", async () => {
    const exchanges: Exchange[] = []
    upstream.answer((exchange) => void exchanges.push(exchange))
    const { server, attempts, balance } = await serve()
    const answer = expect(post(server)).rejects.toThrow()
    await vi.waitFor(() => expect(exchanges).toHaveLength(1), 60_000)
    await server.close({ graceMs: 1 })
    await answer
    expect(attempts).toMatchObject([{ status: "failed", inDoubt: true }])
    expect((await balance()).reserved).toBe(0)
  })

  it("ends streams that take too long, and waits until a slow store has settled them", async () => {
    upstream.answer(({ response }) => {
      response.writeHead(200, { "content-type": "text/event-stream" }).write("data: {}\n\n")
    })
    const store = memoryStore()
    const settle = store.settle.bind(store)
    store.settle = async (request) => {
      await new Promise((resolve) => setTimeout(resolve, 50))
      return settle(request)
    }
    const budget = createBudget({ store, limits: [{ scope: "total", limit: "1.00" }] })
    const { server, attempts } = await serve({ budget })
    const response = await post(server, { ...CALL, stream: true })
    const read = response.text().then(
      () => "complete",
      () => "broken",
    )
    await server.close({ graceMs: 1 })
    expect(attempts).toMatchObject([{ status: "failed", inDoubt: true }])
    expect((await budget.status())[0]!.reservedNanoUsd).toBe(0)
    expect(await read).toBe("broken")
  })
})
