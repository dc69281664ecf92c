import { createServer, type Server, type ServerResponse } from "node:http"
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net"
import { afterEach, beforeEach, expect, test } from "vitest"
import { LLMClient } from "../../src/index"
import { instantClock } from "../open-client"

let server: Server
let answer: (response: ServerResponse) => void

beforeEach(async () => {
  server = createServer((request, response) => {
    request.resume()
    request.on("end", () => answer(response))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
})
afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

function ask(request: object, deadlines: object, stream: boolean) {
  const client = new LLMClient(
    { model: "openai/gpt-4o-mini", retries: 0, stream, ...request },
    {
      baseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
      apiKey: "k",
      deadlines,
      clock: instantClock,
    },
  )
  client.msg.addMessageUser("Hello")
  return client.generate().then((result) => ({ result }))
}

const chunk = (delta: object) => `data: ${JSON.stringify({ choices: [{ index: 0, delta }] })}\n\n`
const sse = { "content-type": "text/event-stream" }

test("a body that stalls half-way ends by idle", async () => {
  answer = (response) => response.writeHead(200, { "content-type": "application/json" }).write('{"choices": [')
  const { result } = await ask({}, { idleMs: 100 }, false)
  expect(result).toMatchObject({
    ok: false,
    error: { code: "deadline-exceeded", deadline: "idle" },
    receipt: { costSource: "bound" },
  })
})

test("an error whose body never comes ends by the total deadline", async () => {
  answer = (response) => response.writeHead(500, { "content-type": "application/json" }).write("{")
  const { result } = await ask({ timeoutMs: 150 }, {}, false)
  expect(result).toMatchObject({ ok: false, error: { code: "deadline-exceeded", deadline: "total" } })
})

test("comments and empty chunks keep no stream alive: not before the first content, not after", async () => {
  const endless = (response: ServerResponse, first: string) => {
    response.writeHead(200, sse).write(first)
    const timer = setInterval(() => response.write(`: still here\n\n${chunk({ content: "" })}`), 20)
    response.on("close", () => clearInterval(timer))
  }
  answer = (response) => endless(response, ": hello\n\n")
  expect((await ask({}, { firstContentMs: 120 }, true)).result).toMatchObject({
    ok: false,
    error: { deadline: "first-content" },
  })
  answer = (response) => endless(response, chunk({ content: "Hel" }))
  const { result } = await ask({}, { firstContentMs: 5_000, idleMs: 120 }, true)
  expect(result).toMatchObject({ ok: false, error: { deadline: "idle" } })
})

test("a stream that goes on and on is ended by the total deadline", async () => {
  answer = (response) => {
    response.writeHead(200, sse)
    const timer = setInterval(() => response.write(chunk({ content: "word " })), 10)
    response.on("close", () => clearInterval(timer))
  }
  const { result } = await ask({ timeoutMs: 250 }, { idleMs: 200 }, true)
  expect(result).toMatchObject({ ok: false, error: { deadline: "total" } })
})

test("a body of white space is no content, and one that is no completion is the provider's error", async () => {
  answer = (response) => {
    response.writeHead(200, { "content-type": "application/json" }).write("   \n")
    setTimeout(() => response.end("<html>gateway</html>"), 200)
  }
  const { result } = await ask({}, { idleMs: 100 }, false)
  expect(result).toMatchObject({ ok: false, error: { code: "provider-error", providerCode: "not-a-completion" } })
})

test("the connect deadline is for what was not sent: nothing is owed", async () => {
  // Takes the connection and never answers the TLS handshake, so that the request cannot be written.
  const mute = createTcpServer(() => {})
  await new Promise<void>((resolve) => mute.listen(0, "127.0.0.1", resolve))
  const taken = new Set<Socket>()
  mute.on("connection", (socket) => taken.add(socket))
  const client = new LLMClient(
    { model: "openai/gpt-4o-mini", retries: 0 },
    {
      baseURL: `https://127.0.0.1:${(mute.address() as AddressInfo).port}/v1`,
      apiKey: "k",
      deadlines: { connectMs: 100 },
    },
  )
  client.msg.addMessageUser("Hello")
  const result = await client.generate()
  for (const socket of taken) socket.destroy()
  mute.close()
  expect(result).toMatchObject({
    ok: false,
    error: { code: "deadline-exceeded", deadline: "connect" },
    receipt: { costNanoUsd: 0, costSource: "none", attempts: [{ status: "released" }] },
  })
})
